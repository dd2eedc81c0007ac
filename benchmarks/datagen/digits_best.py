"""Which student to report: the last, or the best by validation? Both on the hidden test.

    python benchmarks/datagen/digits_best.py [n_seeds]

Training on (continual), where curves rise and fall, 20 lessons of 8 samples.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
from digits_play import head, make, mean, row, test

from teachenv.lesson import Lesson
from teachers import data


def episode(env: Any, teacher_id: str, seed: int) -> tuple[float, float, float]:
    """Return the test accuracy of the last student, of the best by validation, of the best."""
    teacher = data.make(teacher_id, env.syllabus, seed=seed)
    env.reset(seed=seed)
    teacher.begin(env.rehearse)
    taught, validation, tests, done = env.domain.kinds == "taught", [], [], False
    while not done:
        plan = teacher.plan(replace(env.reading, privileged=env.privileged()))
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        teacher.tell(Lesson(plan, info["taught"], env.reading, reward, done))
        validation.append(env.evaluate("validation", 30).accuracy[taught].mean())
        tests.append(test(env))
    return tests[-1], tests[int(np.argmax(validation))], max(tests)


def main(n_seeds: int) -> None:
    head(("teacher", "last", "best by validation", "difference", "best by test (not allowed)"))
    for teacher in ("uniform", "weakness"):
        env = make(train_mode="continual", n_steps=20)
        last, best, bound = zip(*(episode(env, teacher, s) for s in range(n_seeds)), strict=True)
        difference = mean(b - a for a, b in zip(last, best, strict=True))
        row((teacher, mean(last), mean(best), difference, mean(bound)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
