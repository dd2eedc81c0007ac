"""Golden sequences: what each teacher asks under a fixed history, to ten decimals.

A new teacher, or one whose behaviour changed on purpose (say so in the changelog), writes its own:

    make golden TEACHERS="ID ID"
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_teachers import REFUSES, build

import teachers
from teachenv.space import Dim, TaskSpace
from teachers import probe

FOLDER = Path(__file__).parent / "golden" / "teachers"
N_TRIALS = 120
STUMPS = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0), Dim("other", -1.0, 1.0)])


def golden(id: str) -> dict[str, list[Any]]:
    """The first 10 and the last 40 of 120 trials: tasks, reasons, level seeds and train flags.

    Outcomes come back three trials late; their scores are pseudo-random but fixed.
    """
    space = probe.SAMPLE_SPACES["whole"] if "two" in REFUSES.get(id, ()) else STUMPS
    teacher = build(id, space, seed=1)
    trials = []
    for i in range(N_TRIALS):
        trials.append(teacher.ask())
        if i >= 3:
            late = trials[i - 3]
            score = (0.37 * i + float(late.task[0])) % 1.0
            teacher.tell(late, probe.outcome_for(teacher, score))
    kept = trials[:10] + trials[-40:]
    return {
        "tasks": [[round(value, 10) for value in trial.task.tolist()] for trial in kept],
        "reasons": [trial.reason for trial in kept],
        "level_seeds": [trial.level_seed for trial in kept],
        "train": [trial.train for trial in kept],
    }


def path_of(id: str) -> Path:
    return FOLDER / f"{id}.json"


def differences(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> list[str]:
    """Names of the rows that differ; tasks may by two units of the tenth decimal."""
    same = {name: found[name] == expected[name] for name in expected}
    same["tasks"] = np.allclose(found["tasks"], expected["tasks"], rtol=0, atol=2e-10)
    return [name for name in expected if not same[name]]


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_golden_sequence(id, bar):
    path = path_of(id)
    if not path.exists():
        pytest.fail(f'{path} is missing; run: make golden TEACHERS="{id}"')
    found, expected = golden(id), json.loads(path.read_text())
    assert differences(found, expected) == []
    bar("D5", teachers=1, trials_compared=len(expected["tasks"]))


def test_a_change_of_any_trial_is_noticed(bar):
    """Negative control of the comparison."""
    expected = json.loads(path_of("robust-plr").read_text())
    changed = noticed = 0
    for i in range(len(expected["tasks"])):
        for name in expected:
            found = copy.deepcopy(expected)
            if name == "tasks":
                found[name][i][i % 3] += 1e-9
            else:
                found[name][i] = {"reasons": "", "level_seeds": -1}.get(name, not found[name][i])
            changed += 1
            noticed += differences(found, expected) == [name]
    assert noticed == changed
    bar("D5", changed_trials=changed, noticed=noticed)


def test_every_file_belongs_to_a_teacher():
    assert {path.stem for path in FOLDER.glob("*.json")} <= set(teachers.TEACHERS)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or teachers.TEACHERS:
        rows = ",\n".join(f'"{key}": {json.dumps(row)}' for key, row in golden(name).items())
        path_of(name).write_text("{\n" + rows + "\n}\n")
        print(path_of(name))
