"""Teachers that learn what teaches: preferences and the meta-label gradient, on digits. Markdown.

    python benchmarks/datagen/preference.py [--seeds 5] [--students 6]

Random prior knowledge, 8 lessons of 8 samples, retrained after each. A teacher first learns with
some students, then teaches others, whom the fixed rules teach as well: test accuracy over
teachers' seeds. "rank correlation" is Spearman's, over all cells, between what the teacher
predicts of a lesson on the cell and what it really changes of the probe (tried on a copy), at the
first three lessons of students it does not know. "preference, 3 students" tries its drafts on
the student and two others of the profile, and goes by their mean gain.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from digits_play import head, make, mean, row, test
from scipy.stats import spearmanr

from teachenv.lesson import DataPlan, Lesson
from teachers import data

FIRST_TEST = 5_000
RULES = ("uniform", "weakness")


def play(env: Any, teacher: data.DataTeacher, seed: int) -> float:
    """Teach a student; return its test accuracy."""
    env.reset(seed=seed)
    teacher.begin(env.rehearse)
    done = False
    while not done:
        plan = teacher.plan(env.reading)
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        teacher.tell(Lesson(plan, info["taught"], env.reading, reward, done))
    return test(env)


def correlations(env: Any, teacher: Any, seed: int) -> list[float]:
    """Return the rank correlations of predicted and true gains at three lessons."""
    n_cells, n_samples, shape = env.syllabus.n_cells, env.syllabus.n_samples, env.syllabus.shape
    drafts = [
        DataPlan.of_counts((n_samples * row).reshape(shape)) for row in np.eye(n_cells, dtype=int)
    ]
    env.reset(seed=seed)
    rng, found = np.random.default_rng(seed), []
    for _ in range(3):
        gains = [change.mean() for change in env.rehearse(drafts)]
        found.append(float(spearmanr(teacher.predicted(env.reading).reshape(-1), gains)[0]))
        even = rng.multinomial(n_samples, np.full(n_cells, 1.0 / n_cells))
        env.step_plan(DataPlan.of_counts(even.reshape(shape)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--students", type=int, default=6)
    given = parser.parse_args()
    env = make(train_mode="retrain")
    met = range(FIRST_TEST, FIRST_TEST + given.students)
    head(("teacher", "students before", "test accuracy", "less uniform's", "rank correlation"))
    even: list[float] = []
    learners: tuple[tuple[str, str, dict[str, int], int], ...] = (
        ("preference", "preference", {}, 3),
        ("preference, 3 students", "preference", {"students": 3}, 3),
        ("meta-label", "meta-label", {}, 40),
    )
    for name in RULES:
        ends = []
        for seed in range(given.seeds):
            each = [play(env, data.make(name, env.syllabus, seed=seed), s) for s in met]
            ends.append(float(np.mean(each)))
        even = even or ends
        row((name, "0", mean(ends), mean(np.subtract(ends, even)), "-"))
    for name, id, hyper, n in learners:
        ends, ranks = [], []
        for seed in range(given.seeds):
            teacher = data.make(id, env.syllabus, seed=seed, **hyper)
            for student in range(n):
                play(env, teacher, 100 * seed + student)
            ranks += [r for s in (9000 + seed, 9100 + seed) for r in correlations(env, teacher, s)]
            ends.append(float(np.mean([play(env, teacher, s) for s in met])))
        row((name, str(n), mean(ends), mean(np.subtract(ends, even)), mean(ranks)))


if __name__ == "__main__":
    main()
