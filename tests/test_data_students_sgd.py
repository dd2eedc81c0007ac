"""The linear student."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from students.data import DataStudent, make
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.split import draw
from teachenv.errors import UserError
from teachenv.rollouts import global_seed
from teachenv.seeding import derive

DOMAIN = make_domain("digits")


def items(n: int, seed: int = 0) -> Items:
    rng = derive(seed, "items")
    return Items.concat([draw(DOMAIN, digit, 0, n, "train", rng) for digit in range(10)])


def student() -> DataStudent:
    return make("sgd", DOMAIN.format, seed=0)


def coef(made: DataStudent) -> np.ndarray[Any, Any]:
    return np.asarray(made.state_dict()["coef"])


def test_it_is_scikit_learns_partial_fit() -> None:
    """Epochs in one call are the same as epochs one after the other."""
    lesson, made = items(3), student()
    made.train(lesson, seed=4, epochs=3)
    model, rng = SGDClassifier(loss="log_loss", alpha=1e-3, shuffle=False), np.random.default_rng(4)
    for _ in range(3):
        order = rng.permutation(len(lesson))
        features = lesson.inputs["features"].astype(np.float64)[order]
        model.partial_fit(features, lesson.answers[order], classes=np.arange(10))
    assert coef(made) == pytest.approx(model.coef_)


def test_it_learns_and_goes_on_from_its_state_bit_for_bit() -> None:
    made, other = student(), student()
    made.train(items(10), seed=1)
    other.load_state_dict(made.state_dict())
    for one in (made, other):
        one.train(items(10, 1), seed=2, epochs=5)
    assert np.array_equal(coef(made), coef(other))
    exam = items(20, 2)
    assert (made.predict(exam).answers == exam.truth).mean() > 0.8


def test_weights_and_soft_labels_say_what_is_learnt() -> None:
    lesson = items(5)
    hard, soft, light = student(), student(), student()
    hard.train(lesson, seed=0, epochs=5)
    soft.train(lesson, seed=0, epochs=5, soft=np.eye(10, dtype=np.float32)[lesson.answers])
    light.train(lesson, seed=0, epochs=5, weights=(lesson.answers != 3).astype(np.float32))
    answers = [one.predict(lesson).answers for one in (hard, soft, light)]
    assert (answers[0] == answers[1]).mean() > 0.9
    assert (answers[0] == 3).any()
    assert not (answers[2] == 3).any()


def test_nobodys_random_numbers_are_used() -> None:
    with global_seed(0):
        before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
        student().train(items(2), seed=0)
        after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
        assert np.array_equal(before, after)


def test_other_formats_are_refused() -> None:
    with pytest.raises(UserError, match="features"):
        make("sgd", Format({"tokens": (4,)}, "tokens", 9, 2), seed=0)


def test_two_classes_are_learnt_as_any_number_of_them() -> None:
    lesson = items(20)
    lesson = lesson.take(lesson.answers < 2)
    made = make("sgd", Format(DOMAIN.format.fields, "class", 2), seed=0)
    made.train(lesson, seed=0, epochs=5)
    made.train(lesson, seed=1, epochs=5)
    model, orders = SGDClassifier(loss="log_loss", alpha=1e-3, shuffle=False), []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        orders += [rng.permutation(len(lesson)) for _ in range(5)]
    for order in orders:
        features = lesson.inputs["features"].astype(np.float64)[order]
        model.partial_fit(features, lesson.answers[order], classes=np.arange(2))
    assert coef(made)[1] == pytest.approx(model.coef_[0])
    prediction = made.predict(lesson)
    assert prediction.probabilities == pytest.approx(
        model.predict_proba(lesson.inputs["features"].astype(np.float64)), abs=1e-6
    )
    assert (prediction.answers == lesson.truth).mean() > 0.95
