"""The command line: ``teachenv run | resume | evaluate | plot | list | check | ...``."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from teachenv import cli_results, cli_study, cli_teachers
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


@app.command()
def run(
    env: Annotated[str, typer.Option(help="Environment id; see: teachenv list")],
    teacher: Annotated[str, typer.Option(help="Teacher id; see: teachenv list")],
    out: Annotated[Path, typer.Option(help="Run folder to make; must not exist.")],
    student: Annotated[
        str,
        typer.Option(help="Student id; see: teachenv list. auto: the usual for the environment."),
    ] = "auto",
    steps: Annotated[
        int | None,
        typer.Option(
            help="Environment steps to train for, or training samples of data generation. "
            "Default: a million, or five episodes of data generation."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything random derives from it.")] = 0,
    env_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For gymnasium.make; repeatable.")
    ] = None,
    teacher_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="For the teacher; repeatable. preset=NAME: published hyper-parameters.",
        ),
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
    new_student_every: Annotated[
        int,
        typer.Option(
            help="Steps after which a new student takes over, at the next round; 0: never."
        ),
    ] = 0,
    eval_every: Annotated[int, typer.Option(help="Rounds between evaluations; 0: never.")] = 1,
    test_set: Annotated[
        list[str] | None,
        typer.Option(
            help="Test set; repeatable. The first is used during the run, all at its end."
        ),
    ] = None,
    on_env_error: Annotated[
        Literal["fail", "retry", "skip"],
        typer.Option(
            help="When an environment raises or hangs: end the run, play the trial once more, or "
            "leave it out."
        ),
    ] = "fail",
    env_timeout: Annotated[
        float, typer.Option(help="Seconds that a call of an environment may take; 0: any time.")
    ] = 120.0,
) -> None:
    """Train a student under a teacher, in a new run folder."""
    from teachenv.experiments import loop
    from teachenv.experiments.config import RunConfig
    from teachenv.experiments.data_parts import usual_steps
    from teachenv.experiments.progress import ProgressBar

    config = RunConfig(
        env=env,
        teacher=teacher,
        student=student,
        steps=1_000_000 if steps is None else steps,
        seed=seed,
        env_args=pairs("--env-arg", env_arg),
        teacher_args=pairs("--teacher-arg", teacher_arg),
        student_args=pairs("--student-arg", student_arg),
        round_steps=round_steps,
        new_student_every=new_student_every,
        eval_every=eval_every,
        test_sets=tuple(test_set or ()),
        on_env_error=on_env_error,
        env_timeout_s=env_timeout,
    )
    if steps is None:
        config = dataclasses.replace(config, steps=usual_steps(config))
    try:
        with ProgressBar(config.steps, teacher) as bar:
            loop.start(config, out, bar)
    except KeyboardInterrupt:
        _interrupted(out)
    _summary(out)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's or a study's folder.")],
    steps: Annotated[
        int | None, typer.Option(help="Extend the run to this many steps in all.")
    ] = None,
) -> None:
    """Continue an interrupted run or study exactly where its checkpoints left it."""
    from teachenv.experiments import loop
    from teachenv.experiments.progress import ProgressBar
    from teachenv.experiments.store import read_run
    from teachenv.experiments.study_store import is_study

    if is_study(folder):
        if steps is not None:
            raise UserError(f"--steps: {folder} is a study, whose runs all have the same steps")
        cli_study.resume_study(folder)
        return
    config = read_run(folder).config
    try:
        with ProgressBar(steps or config.steps, f"{config.teacher} / {config.student}") as bar:
            for reason in loop.resume(folder, bar, steps):
                say(f"skipped a damaged checkpoint: {reason}")
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


def _interrupted(folder: Path) -> None:
    from teachenv.experiments.store import is_run

    if is_run(folder):
        say(f"interrupted; continue with: teachenv resume {shlex.quote(str(folder))}")
    else:
        say("interrupted before anything ran")
    raise typer.Exit(130)


def _summary(folder: Path) -> None:
    from teachenv.experiments.store import read_run

    done = read_run(folder)
    table = Table("test set", "share mastered", "mean return", title=Text(str(folder)))
    last = {row["test_set"]: row for row in done.evals}
    places = 1 if done.data is None else 3
    for name, row in last.items():
        if row["status"] == "ok":
            mean = f"{row['mean_return']:.{places}f}"
            table.add_row(Text(name), f"{row['share_mastered']:.1%}", mean)
        else:
            table.add_row(Text(name), "failed", Text(row["error"]))
    if last:
        console.print(table)
    if done.data is not None:
        from teachenv.experiments.data_parts import summary

        say(summary(done))
        say(f"pictures: teachenv plot {shlex.quote(str(folder))}")
        return
    trials = sum(row["trials"] for row in done.times)
    lost = sum(row["status"] == "lost" for row in done.episodes)
    share = f" ({lost / trials:.1%})" if trials else ""
    say(f"{trials:,} trials, {lost:,} cut off{share}")
    say(f"pictures: teachenv plot {shlex.quote(str(folder))}")
