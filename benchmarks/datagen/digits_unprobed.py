"""Half of the cells are never probed: what is known of them, and what does it cost?

    python benchmarks/datagen/digits_unprobed.py [n_seeds]

Digits, random prior knowledge, the probed half changes by episode; one teacher per way of filling
the gaps meets all students one after another. "error": mean absolute difference of the estimate
from hidden-test accuracy in unprobed cells after the last lesson; "lost": off-probe regression.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
from digits_play import head, make, mean, row

from teachenv.envs.datagen.monitors import off_probe_regression
from teachenv.lesson import Lesson
from teachers import data

TEST_SIZE = 60

CASES: tuple[tuple[str, str, float, dict[str, Any]], ...] = (
    ("uniform", "uniform", 0.5, {}),
    ("weakness, gaps taken for 0", "weakness", 0.5, {}),
    ("weakness, average", "weakness", 0.5, {"unprobed": "average"}),
    ("weakness, tracing", "weakness", 0.5, {"unprobed": "tracing"}),
    ("weakness, recurrent", "weakness", 0.5, {"unprobed": "recurrent"}),
    ("weakness, all probed", "weakness", 1.0, {}),
)


def play(
    env: Any, teacher: data.DataTeacher, seed: int, gaps_filled: bool
) -> tuple[float, float, float]:
    """Return the test accuracy, the estimate's error and the off-probe regression."""
    env.reset(seed=seed)
    before = env.evaluate("test", TEST_SIZE).accuracy
    teacher.begin()
    done = False
    while not done:
        plan = teacher.plan(_seen(env, gaps_filled))
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        teacher.tell(Lesson(plan, info["taught"], _seen(env, gaps_filled), reward, done))
    after, probed = env.evaluate("test", TEST_SIZE).accuracy, env.reading.visible > 0
    said, error = teacher.describe().get("estimate"), np.nan
    if said is not None and not probed.all():
        said = said if gaps_filled else env.reading.accuracy
        error = float(np.abs(said - after)[~probed].mean())
    return float(after.mean()), error, off_probe_regression(before, after, probed)


def _seen(env: Any, gaps_filled: bool) -> Any:
    """Return the reading; without filling, unprobed cells look like probed ones of accuracy 0."""
    if gaps_filled:
        return env.reading
    return replace(env.reading, visible=np.ones_like(env.reading.visible))


def main(n_seeds: int) -> None:
    head(("teacher", "test accuracy", "error", "lost"))
    for name, id, share, hyper in CASES:
        env = make(visible_share=share)
        teacher = data.make(id, env.syllabus, seed=0, **hyper)
        filled = "taken for 0" not in name
        accuracy, error, lost = zip(
            *(play(env, teacher, seed, filled) for seed in range(n_seeds)), strict=True
        )
        row((name, mean(accuracy), "-" if np.isnan(error).any() else mean(error), mean(lost)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
