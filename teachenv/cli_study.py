"""The command line of studies: ``teachenv compare | status``, and ``resume`` of a study."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from teachenv.cli_text import console, interrupted, say
from teachenv.errors import UserError

if TYPE_CHECKING:
    from teachenv.experiments.compare import Means
    from teachenv.experiments.study_plan import Plan
    from teachenv.experiments.study_status import StudyStatus


def compare(
    study: Annotated[
        Path,
        typer.Argument(metavar="STUDY", help="A study file, TOML or JSON; or a study's folder."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Study folder to make; must not exist. Default: runs/ and its name."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show cells, budget and estimated time only.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Cells at once. Default: one per core.", show_default=False),
    ] = None,
    cpus: Annotated[float, typer.Option(help="Cores of a cell.")] = 1,
    gpus: Annotated[float, typer.Option(help="Share of an accelerator of a cell.")] = 0,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to use instead of this machine.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Where to mirror the runs: a folder, s3://..., gs://..."),
    ] = None,
    max_failures: Annotated[
        int, typer.Option(help="Failures after which a cell is still continued.")
    ] = 2,
) -> None:
    """Compare teachers: play every cell of a study, in parallel, resumable at any time."""
    from teachenv.experiments.compare import Means
    from teachenv.experiments.compare import compare as play
    from teachenv.experiments.study_bar import StudyBar
    from teachenv.experiments.study_store import is_study

    means = Means(workers, cpus, gpus, address, max_failures)
    if dry_run:
        _show_plan(study, means)
        return
    if is_study(study):
        if out is not None or storage is not None:
            raise UserError(f"{study} exists already: --out and --storage are for new studies")
        resume_study(study, means)
        return
    folder = out or Path("runs") / study.stem
    try:
        with StudyBar() as bar:
            result = play(study, folder, storage=storage, means=means, listener=bar)
    except KeyboardInterrupt:
        interrupted(folder, begun=is_study(folder))
    _summary(folder, result)


def status(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder.")],
    cells: Annotated[bool, typer.Option("--cells", help="List every cell.")] = False,
) -> None:
    """Show how far a study is; reads its folder only."""
    from teachenv.experiments.study_status import study_status
    from teachenv.experiments.study_store import StudyFolder

    found = study_status(StudyFolder.read(folder))
    if cells:
        table = Table("cell", "steps", "status")
        for cell in found.cells:
            steps = f"{cell.step:,}/{cell.cell.config.steps:,}"
            table.add_row(Text(cell.cell.name), steps, cell.status)
        console.print(table)
    _show_status(folder, found)


def resume_study(folder: Path, means: Means | None = None) -> None:
    """Continue a study and show how it ends."""
    from teachenv.experiments import compare
    from teachenv.experiments.study_bar import StudyBar

    try:
        with StudyBar() as bar:
            result = compare.resume(folder, means=means, listener=bar)
    except KeyboardInterrupt:
        interrupted(folder, begun=True)
    _summary(folder, result)


def _summary(folder: Path, result: StudyStatus) -> None:
    from teachenv.experiments.study_search import samples
    from teachenv.experiments.study_store import StudyFolder

    _show_status(folder, result)
    found = samples(StudyFolder.read(folder))
    if found:
        table = Table("sample", "settings", "evaluations", "score", "status")
        for sample in found:
            score = f"{sample.scores[-1]:.3g}" if sample.scores else "-"
            settings = Text(json.dumps(dict(sample.settings)))
            table.add_row(sample.name, settings, str(len(sample.scores)), score, sample.status)
        console.print(table)
        say("compare the best with other seeds than those of the search")
    if result.failed:
        raise typer.Exit(1)


def _show_status(folder: Path, found: StudyStatus) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in found.counts().items())
    steps = sum(cell.cell.config.steps for cell in found.cells)
    to_do = sum(cell.to_do for cell in found.cells)
    say(f"{folder}: {len(found.cells)} cells: {counts}; {steps - to_do:,}/{steps:,} steps")
    for cell in found.failed:
        say(f"failed: {cell.cell.name}: {cell.reason}")
    if to_do and found.left_s is not None:
        say(f"about {_duration(found.left_s)} left at this rate")
    if found.conductor is not None:
        say(f"process {found.conductor} is playing it")
    elif not found.finished:
        say(f"continue with: teachenv resume {shlex.quote(str(folder))}")


def _show_plan(path: Path, means: Means) -> None:
    from teachenv.experiments.compare import check_cells, n_at_once, settled
    from teachenv.experiments.study_file import load_study
    from teachenv.experiments.study_plan import plan_new, plan_rest
    from teachenv.experiments.study_store import StudyFolder, is_study

    if is_study(path):
        folder = StudyFolder.read(path)
        plan = plan_rest(folder, n_at_once(means, folder.study.cells()))
    else:
        study = settled(load_study(path))
        cells = study.cells(check_env=True)
        check_cells(cells)
        plan = plan_new(study, n_at_once(means, cells))
    _show_cells(plan)
    where = "here" if means.address is None else f"on the cluster at {means.address}"
    say(f"{plan.steps:,} steps to take, {plan.at_once} cells at once {where}")
    for kind, source in plan.sources.items():
        say(f"{kind}: {1 / plan.speeds[kind]:,.0f} steps/s ({source})")
    say(
        f"about {_duration(plan.seconds)} ({_duration(plan.cell_seconds)} one after another), "
        "teachers' own time, evaluations and Ray's start not counted"
    )


def _show_cells(plan: Plan) -> None:
    table = Table("environment", "student", "teacher", "seeds", "steps each", "left")
    groups: dict[tuple[str, ...], list[int]] = {}
    for status in plan.cells:
        environment, teacher, student, _ = status.cell.name.split("/")
        group = groups.setdefault((environment, student, teacher), [0, 0, 0])
        group[0] += 1
        group[1] = status.cell.config.steps
        group[2] += status.to_do
    for names, (seeds, steps, left) in groups.items():
        table.add_row(*map(Text, names), str(seeds), f"{steps:,}", f"{left:,}")
    console.print(table)
    say(f"{len(plan.cells)} cells")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(round(seconds), 1)))
