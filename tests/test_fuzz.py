"""Readers of what others may have written: they refuse or accept, whatever a document holds.

The same readers are fuzzed for longer by ``fuzz/run.py``; what it found is kept here.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from bars import Bar
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz import targets
from teachenv.experiments import store, study_store
from teachenv.experiments.config import RunConfig

EXAMPLES = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
every_harness = pytest.mark.parametrize("target", targets.TARGETS)


def misfit(value: float = 1.0, **shapes: tuple[int, ...]) -> bytes:
    """A policy some of whose arrays are of other shapes or numbers."""
    known = {"weight_0": (3, 30), "bias_0": (3,), "weight_1": (4, 3), "bias_1": (4,), **shapes}
    file = io.BytesIO()
    np.savez(file, **{name: np.full(shape, value) for name, shape in known.items()})  # type: ignore[arg-type]
    return b"policy.npz\n" + file.getvalue()


KNOWN = {
    "a configuration that is no mapping": ("tasks", b"config\nNaN"),
    "a configuration that is a list": ("tasks", b"config\n[0, 0]"),
    "test sets that are no list": ("tasks", b'config\n{"env": "", "teacher": "", "test_sets": -1}'),
    "a list as a test set": ("tasks", b'config\n{"env": "", "teacher": "", "test_sets": [[]]}'),
    "a meaning that is no text": ("tasks", b'space\n[{"name": "x", "meaning": [0]}]'),
    "a unit that is no text": ("tasks", b'space\n[{"name": "x", "unit": -0.0}]'),
    "a choice there is twice": (
        "tasks",
        b'space\n[{"name": "x", "kind": "choice", "choices": ["a", "a"]}]',
    ),
    "a choice that is no text": (
        "tasks",
        b'space\n[{"name": "x", "kind": "choice", "choices": [1]}]',
    ),
    "drawn samples that are no list": (
        "tasks",
        b'study\n{"teachers": ["riac"], "environments": ["x"], "search": {"space": {"a": [1]}, '
        b'"drawn": 3}}',
    ),
    "a drawn sample that is text": (
        "tasks",
        b'study\n{"teachers": ["riac"], "environments": ["x"], "search": {"space": {"a": [1]}, '
        b'"drawn": ["a"]}}',
    ),
    "an evaluation without its test set": ("folders", b"evals.jsonl\n{}\n"),
    "updates that are a list": (
        "folders",
        b'times.jsonl\n{"round": 0, "step": 60, "learn_s": 0.5, "total_s": 1.0, "trials": 2, '
        b'"lost": 0, "steps_per_s": 9.0, "gradient_steps": [8]}\n',
    ),
    "a mixture of other tasks": (
        "folders",
        b'teacher.jsonl\n{"round": 0, "step": 60, "describe": {"mixture": {"means": [[0.5]], '
        b'"covariances": [[[1.0]]], "weights": [1.0]}}}\n',
    ),
    "a window beyond all numbers": (
        "folders",
        b'teacher.jsonl\n{"round": 0, "step": 60, "describe": {"window": {"low": 1%s, '
        b'"high": [1.0, 0.75, 1.0]}}}\n' % (b"0" * 400),
    ),
    "ended cells that are text": ("folders", b'ended.json\n".."'),
    "ended cells that are a list": ("folders", b"ended.json\n[[]]"),
    "a teacher whose head chooses among actions it does not have": (
        "folders",
        b'teacher.json\n{"format": 1, "activation": "tanh", "head": "argmax", '
        b'"action_mode": "mix"}',
    ),
    "a teacher of endless steps": (
        "folders",
        b'teacher.json\n{"format": 1, "activation": "tanh", "head": "clip", '
        b'"action_mode": "mix", "steps": 1e999}',
    ),
    "a policy whose layers do not follow another": ("folders", misfit(weight_1=(4, 5))),
    "a policy with more biases than units": ("folders", misfit(bias_0=(7,))),
    "a policy of larger numbers than it keeps": ("folders", misfit(1e300)),
}
"""Documents that once raised something else than a refusal."""


@pytest.mark.parametrize("name", KNOWN)
def test_documents_that_were_findings_are_refused(name: str) -> None:
    assert targets.read(*KNOWN[name]) is False


def test_policies_made_by_hand_are_read() -> None:
    """Negative control: what is wrong with the ones above is what they say."""
    assert targets.read("folders", misfit(0.5)) is True


@every_harness
def test_good_documents_are_read(target: str) -> None:
    seeds = targets.seeds(target)
    assert all(targets.read(target, data) for data in seeds)
    assert {data.partition(b"\n")[0].decode() for data in seeds} == set(targets.TARGETS[target])


def damaged(target: str, seed: int) -> bytes:
    rng = random.Random(seed)
    data = rng.choice(targets.seeds(target))
    for _ in range(rng.randrange(1, 4)):
        data = targets.mutated(data, rng)
    return data


@every_harness
def test_damaged_documents_are_refused_or_read(target: str, bar: Bar) -> None:
    counts: Counter[str] = Counter()

    @EXAMPLES
    @given(st.integers(0, 2**64))
    def read(seed: int) -> None:
        accepted = targets.read(target, damaged(target, seed))
        counts["accepted" if accepted else "refused"] += 1

    read()
    assert min(counts["accepted"], counts["refused"]) > 20
    bar("F1", damaged_documents=counts.total(), refused=counts["refused"], findings=0)


@every_harness
def test_noise_is_refused_or_read(target: str, bar: Bar) -> None:
    counts: Counter[str] = Counter()

    @EXAMPLES
    @given(st.sampled_from(sorted(targets.TARGETS[target])), st.binary(max_size=200))
    def read(name: str, noise: bytes) -> None:
        targets.read(target, name.encode() + b"\n" + noise)
        counts["read"] += 1

    read()
    bar("F1", noise=counts.total(), findings=0)


@pytest.mark.parametrize(
    ("target", "owner", "name", "broken"),
    [
        ("tasks", RunConfig, "from_json", lambda row: RunConfig(**row, check_env=False)),
        ("folders", study_store.StudyFolder, "ended", lambda self: dict(_read(self))),
        ("folders", store, "check_rows", lambda *_: None),
    ],
    ids=["config", "ended", "rows"],
)
def test_readers_that_trust_their_document_are_found(
    target: str, owner: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises((KeyError, TypeError, ValueError)):
        any(targets.read(target, damaged(target, seed)) is None for seed in range(2000))
    bar("F1", broken_readers_found=1)


def _read(folder: study_store.StudyFolder) -> Any:
    return study_store.read_json(folder.path / "ended.json")
