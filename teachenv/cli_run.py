"""The command line of runs: ``teachenv run | resume``."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from teachenv import cli_study
from teachenv.cli_text import console, interrupted, pairs, say
from teachenv.errors import UserError

OnEnvError = Literal["fail", "retry", "skip"]
_ON_ENV_ERROR = (
    "When an environment raises or hangs: end the run, play the trial once more, or leave it out."
)
_ENV_TIMEOUT = "Seconds that a call of an environment may take; 0: any time."


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
            help="Steps between checkpoints, 0: usual. Each round starts fresh episodes, except "
            "in native environments."
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
    on_env_error: Annotated[OnEnvError, typer.Option(help=_ON_ENV_ERROR)] = "fail",
    env_timeout: Annotated[float, typer.Option(help=_ENV_TIMEOUT)] = 120.0,
) -> None:
    """Train a student under a teacher, in a new run folder."""
    from teachenv.experiments import loop
    from teachenv.experiments.config import RunConfig
    from teachenv.experiments.data_parts import usual_steps
    from teachenv.experiments.progress import ProgressBar
    from teachenv.experiments.store import is_run

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
        interrupted(out, begun=is_run(out))
    _summary(out)


def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's or a study's folder.")],
    steps: Annotated[
        int | None, typer.Option(help="Extend the run to this many steps in all.")
    ] = None,
    on_env_error: Annotated[
        OnEnvError | None, typer.Option(help=f"{_ON_ENV_ERROR} Default: as before.")
    ] = None,
    env_timeout: Annotated[
        float | None, typer.Option(help=f"{_ENV_TIMEOUT} Default: as before.")
    ] = None,
) -> None:
    """Continue an interrupted run or study exactly where its checkpoints left it."""
    from teachenv.experiments import loop
    from teachenv.experiments.progress import ProgressBar
    from teachenv.experiments.store import read_header
    from teachenv.experiments.study_store import is_study

    given = {"steps": steps, "on_env_error": on_env_error, "env_timeout_s": env_timeout}
    changes = {name: value for name, value in given.items() if value is not None}
    if is_study(folder):
        if changes:
            raise UserError(
                f"{folder} is a study, whose runs keep the settings they have; --steps, "
                "--on-env-error and --env-timeout are for single runs"
            )
        cli_study.resume_study(folder)
        return
    config = read_header(folder).config
    try:
        with ProgressBar(steps or config.steps, f"{config.teacher} / {config.student}") as bar:
            for reason in loop.resume(folder, bar, **changes):
                say(f"skipped a damaged checkpoint: {reason}")
    except KeyboardInterrupt:
        interrupted(folder, begun=True)
    _summary(folder)


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
