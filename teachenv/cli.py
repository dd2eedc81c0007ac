"""The command line: ``teachenv run | resume | evaluate | plot | list | check``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from teachenv.broker import TooManyFailuresError
from teachenv.errors import UserError
from teachenv.space import TaskError

app = typer.Typer(
    help="Curriculum teachers for reinforcement learning: run, resume, evaluate, plot.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


@app.command()
def run(
    env: Annotated[str, typer.Option(help="Environment id; see: teachenv list")],
    teacher: Annotated[str, typer.Option(help="Teacher id; see: teachenv list")],
    out: Annotated[Path, typer.Option(help="Run folder to make; must not exist.")],
    student: Annotated[
        str,
        typer.Option(help="Student id; see: teachenv list. auto: the usual for the environment."),
    ] = "auto",
    steps: Annotated[int, typer.Option(help="Environment steps to train for.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Everything random derives from it.")] = 0,
    env_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For gymnasium.make; repeatable.")
    ] = None,
    teacher_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For the teacher; repeatable.")
    ] = None,
    student_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For the student; repeatable.")
    ] = None,
    round_steps: Annotated[
        int,
        typer.Option(
            help="Steps between checkpoints; every round starts fresh episodes. 0: usual."
        ),
    ] = 0,
    eval_every: Annotated[int, typer.Option(help="Rounds between evaluations; 0: never.")] = 1,
    test_set: Annotated[
        list[str] | None,
        typer.Option(
            help="Test set; repeatable. The first is used during the run, all at its end."
        ),
    ] = None,
) -> None:
    """Train a student under a teacher, in a new run folder."""
    from teachenv.experiments import loop
    from teachenv.experiments.config import RunConfig
    from teachenv.experiments.progress import ProgressBar

    config = RunConfig(
        env=env,
        teacher=teacher,
        student=student,
        steps=steps,
        seed=seed,
        env_args=_pairs("--env-arg", env_arg),
        teacher_args=_pairs("--teacher-arg", teacher_arg),
        student_args=_pairs("--student-arg", student_arg),
        round_steps=round_steps,
        eval_every=eval_every,
        test_sets=tuple(test_set or ()),
    )
    try:
        with ProgressBar(steps, teacher) as bar:
            loop.start(config, out, bar)
    except KeyboardInterrupt:
        _interrupted(out)
    _summary(out)


@app.command()
def resume(
    folder: RunArgument,
    steps: Annotated[
        int | None, typer.Option(help="Extend the run to this many steps in all.")
    ] = None,
) -> None:
    """Continue an interrupted run exactly where its last checkpoint left it."""
    from teachenv.experiments import loop
    from teachenv.experiments.progress import ProgressBar
    from teachenv.experiments.store import read_run

    config = read_run(folder).config
    try:
        with ProgressBar(steps or config.steps, f"{config.teacher} / {config.student}") as bar:
            for reason in loop.resume(folder, bar, steps):
                _say(f"skipped a damaged checkpoint: {reason}")
    except KeyboardInterrupt:
        _interrupted(folder)
    _summary(folder)


@app.command()
def evaluate(
    folder: RunArgument,
    test_set: Annotated[
        list[str] | None, typer.Option(help="Test set; repeatable. Default: the run's.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE,...", help="A task to play instead; repeatable."),
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="Render the tasks as mp4.")] = False,
) -> None:
    """Play a run's student, deterministically, on test sets or on chosen tasks."""
    from teachenv.experiments import play

    for line in play.evaluate_run(
        folder,
        test_sets=tuple(test_set or ()),
        tasks=[_pairs("--task", text.split(",")) for text in task or ()],
        video=video,
    ):
        _say(line)


@app.command()
def plot(
    folder: RunArgument,
    animate: Annotated[
        Literal["gif", "mp4"] | None, typer.Option(help="Also draw the curriculum moving.")
    ] = None,
) -> None:
    """Draw a run's curriculum, competence and progress into RUN/plots."""
    from teachenv.experiments.plot import animate_run, plot_run

    paths = plot_run(folder)
    if animate is not None:
        paths.append(animate_run(folder, fmt=animate))
    for path in paths:
        _say(str(path))


@app.command(name="list")
def list_(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="List the runs below this folder.")
    ] = None,
) -> None:
    """List environments, teachers, students and test sets; or the runs in a folder."""
    from teachenv.experiments import catalogue

    for table in catalogue.runs(folder) if folder else catalogue.everything():
        console.print(table)


@app.command()
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Environment or teacher ids. Default: all of ours."),
    ] = None,
) -> None:
    """Check environments (and their speed here) and teachers against their contracts."""
    from teachenv.experiments import catalogue

    errors = 0
    for name, findings, speed in catalogue.check(names):
        _say(f"{name}: {'' if findings else 'ok'}".rstrip())
        if speed:
            _say(f"  {speed}")
        for finding in findings:
            _say(f"  {finding.severity} {finding.code}: {finding.message}")
            errors += finding.severity == "error"
    if errors:
        raise typer.Exit(1)


def main() -> None:
    """Entry point; user errors are printed without a traceback, with exit status 2."""
    try:
        app()
    except (UserError, TaskError, TooManyFailuresError, OSError) as error:
        Console(stderr=True, highlight=False).print(
            f"teachenv: {error}", style="red", markup=False, soft_wrap=True
        )
        sys.exit(2)


def _say(line: str) -> None:
    """Print a line as it is: no markup, and no breaks, so that paths can be copied."""
    console.print(line, markup=False, soft_wrap=True)


def _pairs(option: str, texts: list[str] | None) -> dict[str, Any]:
    """Read ``name=value`` texts; values are JSON where they can be, text otherwise."""
    pairs: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{option}: expected NAME=VALUE, got {text!r}")
        try:
            pairs[name] = json.loads(value)
        except ValueError:
            pairs[name] = value
    return pairs


def _interrupted(folder: Path) -> None:
    from teachenv.experiments.store import is_run

    if is_run(folder):
        _say(f"interrupted; continue with: teachenv resume {shlex.quote(str(folder))}")
    else:
        _say("interrupted before anything ran")
    raise typer.Exit(130)


def _summary(folder: Path) -> None:
    from teachenv.experiments.store import read_run

    done = read_run(folder)
    table = Table("test set", "share mastered", "mean return", title=Text(str(folder)))
    last = {row["test_set"]: row for row in done.evals}
    for name, row in last.items():
        if row["status"] == "ok":
            table.add_row(name, f"{row['share_mastered']:.1%}", f"{row['mean_return']:.1f}")
        else:
            table.add_row(name, "failed", Text(row["error"]))
    if last:
        console.print(table)
    trials = sum(row["trials"] for row in done.times)
    lost = sum(row["lost"] for row in done.times)
    share = f" ({lost / trials:.1%})" if trials else ""
    _say(f"{trials:,} trials, {lost:,} lost at round boundaries{share}")
    _say(f"pictures: teachenv plot {shlex.quote(str(folder))}")
