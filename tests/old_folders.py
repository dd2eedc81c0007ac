"""A tiny folder of every format number there was, under tests/data: they must stay readable.

    python tests/old_folders.py

writes those of the present numbers, for when a number has been raised.
"""

from __future__ import annotations

from pathlib import Path

from teachenv.experiments import loop, store, study_store
from teachenv.experiments.cells import play
from teachenv.experiments.config import RunConfig
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

DATA = Path(__file__).parent / "data"

PPO = {"n_envs": 2, "n_steps": 32, "batch_size": 32, "n_epochs": 1, "hidden": [4]}
RUN = {"steps": 192, "round_steps": 64, "eval_every": 2, "test_sets": ["grid-v1"]}
STUDY = {
    **RUN,
    "teachers": ["uniform", {"id": "riac", "args": {"max_region_size": 10}}],
    "environments": ["teachenv/CartPole-v0"],
    "students": [{"id": "sb3-ppo", "args": PPO}],
    "baselines": False,
    "seeds": 2,
}


def names() -> set[str]:
    """Return the folders there must be."""
    runs = [f"{kind}-{n}" for n in range(1, store.FORMAT + 1) for kind in ("run", "data-run")]
    return {*runs, *(f"study-{n}" for n in range(1, study_store.FORMAT + 1))}


def write() -> None:
    """Write the folders of the present format numbers."""
    run = RunConfig(
        env="teachenv/CartPole-v0",
        teacher="alp-gmm",
        teacher_args={"fit_rate": 5, "max_k": 3},
        student="sb3-ppo",
        student_args=PPO,
        **{**RUN, "test_sets": ("grid-v1",)},
    )
    data = RunConfig(
        env="teachenv/DataGenSkillList-digits-v0",
        teacher="missing-skill",
        env_args={"n_steps": 2, "n_samples": 12},
        steps=48,
    )
    loop.start(run, DATA / f"run-{store.FORMAT}")
    loop.start(data, DATA / f"data-run-{store.FORMAT}")
    study = StudyFolder.create(DATA / f"study-{study_store.FORMAT}", read_study(STUDY), None)
    for _ in play(study.study.cells(), study.runs):
        pass
    for lock in DATA.rglob("lock"):
        lock.unlink()


if __name__ == "__main__":
    write()
