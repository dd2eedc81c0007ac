"""The command line of teachers that are trained: ``teachenv train-teacher``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from teachenv.cli_text import console, pairs, say


def train_teacher(
    env: Annotated[str, typer.Option(help="Id of a data-generation environment: DataGen...")],
    out: Annotated[Path, typer.Option(help="Folder to make for the teacher; must not exist.")],
    algorithm: Annotated[str, typer.Option(help="sb3-ppo, sb3-sac or rllib-ppo.")] = "sb3-ppo",
    steps: Annotated[int, typer.Option(help="Lessons to train for.")] = 5000,
    seed: Annotated[int, typer.Option(help="Everything random derives from it.")] = 0,
    env_arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For gymnasium.make; repeatable.")
    ] = None,
) -> None:
    """Train a teacher of data by reinforcement learning."""
    from teachenv.env import MakeEnv
    from teachenv.experiments.train_teacher import train_teacher as train

    returns: list[float] = []
    with console.status("training") as status:

        def report(step: int, episode_return: float) -> None:
            returns.append(episode_return)
            mean = np.mean(returns[-50:])
            status.update(f"{step:,} of {steps:,} lessons, mean gain of late episodes {mean:.3f}")

        usual = {"action_mode": "mix"} if "SkillList" in env else {}
        recipe = MakeEnv(env, {**usual, **pairs("--env-arg", env_arg)})
        train(recipe, out, algorithm=algorithm, steps=steps, seed=seed, report=report)
    told = f"{len(returns)} episodes"
    if returns:
        first, last = np.mean(returns[:50]), np.mean(returns[-50:])
        told += f"; mean gain of the first 50: {first:.3f}, last 50: {last:.3f}"
    say(told)
    say(f"use it: --teacher trained --teacher-arg path={shlex.quote(str(out))}")
