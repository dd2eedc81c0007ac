"""The command line: ``teachenv run | resume | evaluate | plot | list | check | ...``."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from teachenv import cli_results, cli_run, cli_study, cli_teachers
from teachenv.broker import TooManyFailuresError
from teachenv.cli_text import console, names, pairs, say
from teachenv.errors import UserError
from teachenv.space import TaskError
from teachenv.terminal import Terminal

app = typer.Typer(
    help="Curriculum teachers for reinforcement learning: run, resume, evaluate, plot.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]

app.command()(cli_run.run)
app.command()(cli_run.resume)


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
        tasks=[pairs("--task", text.split(",")) for text in task or ()],
        video=video,
    ):
        say(line)


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
        say(str(path))


@app.command()
def gallery(
    env: Annotated[
        list[str] | None, typer.Argument(metavar="[ENV]...", help="Default: all of ours.")
    ] = None,
    env_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For gymnasium.make; repeatable.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="A run whose competence colours the pictures.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("runs/gallery"),
    n: Annotated[int, typer.Option(min=1, help="Levels along a parameter.")] = 6,
    level_seed: Annotated[int, typer.Option(min=0, help="Of every level.")] = 0,
) -> None:
    """Draw levels over the task space of environments."""
    from teachenv.experiments.gallery import draw_gallery

    given = pairs("--env-arg", env_arg)
    for path in draw_gallery(
        out, env_ids=env or (), env_args=given, run=run, n=n, level_seed=level_seed
    ):
        say(str(path))


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
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE:CLASS", help="A teacher of your own; repeatable."),
    ] = None,
    teacher_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="For the teachers of your own; repeatable."),
    ] = None,
) -> None:
    """Check environments (and their speed here) and teachers against their contracts."""
    from teachenv.experiments import catalogue

    errors = 0
    own = catalogue.check_own(teacher or (), pairs("--teacher-arg", teacher_arg))
    ours = catalogue.check(names) if names or not teacher else ()
    for name, findings, speed in itertools.chain(own, ours):
        say(f"{name}: {'' if findings else 'ok'}".rstrip())
        if speed:
            say(f"  {speed}")
        for finding in findings:
            say(f"  {finding.severity} {finding.code}: {finding.message}")
            errors += finding.severity == "error"
    if errors:
        raise typer.Exit(1)


@app.command(name="bench-teachers")
def bench_teachers(
    teachers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID,...",
            help="Teachers to play now; repeatable. The others are shown by results kept from "
            "earlier. Default: all without such results.",
        ),
    ] = None,
    worlds: Annotated[
        list[str] | None,
        typer.Option(metavar="WORLD,...", help="Worlds; repeatable. Default: all short ones."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds per teacher and world.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for table, picture and results.")] = Path(
        "runs/bench-teachers"
    ),
    reference: Annotated[
        Path | None, typer.Option(help="A results.json to use instead of the shipped one.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Use no earlier results.")] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes. Default: one per core.", show_default=False)
    ] = None,
) -> None:
    """Judge teachers on analytic students, whose best curriculum is known."""
    from teachenv.experiments import bench_table
    from teachenv.experiments.bench_reference import SHIPPED
    from teachenv.experiments.bench_teachers import bench
    from teachenv.experiments.plot_bench import plot_bench

    with bench_table.counting() as watcher:
        verdict = bench(
            names(teachers),
            worlds=names(worlds),
            n_seeds=seeds,
            reference=None if fresh else (reference or SHIPPED),
            n_workers=workers,
            out=out,
            watcher=watcher,
        )
    (out / "table.md").write_text(bench_table.markdown(verdict))
    plot_bench(verdict, out / "bench.png")
    for table in bench_table.tables(verdict):
        console.print(table)
    for line in bench_table.notes(verdict):
        say(line)
    say(f"{out / 'bench.png'}\n{out / 'table.md'}")
    if verdict.failed:
        raise typer.Exit(1)


app.command()(cli_study.compare)
app.command()(cli_study.status)
app.command()(cli_results.report)
app.command()(cli_results.export)
app.command()(cli_teachers.train_teacher)


def main() -> None:
    """Entry point; user errors are printed without a traceback, with exit status 2."""
    try:
        app()
    except (UserError, TaskError, TooManyFailuresError, OSError) as error:
        Terminal(stderr=True, highlight=False, emoji=False).print(
            f"teachenv: {error}", style="red", markup=False, soft_wrap=True
        )
        sys.exit(2)
