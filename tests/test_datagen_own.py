"""Students and domains of one's own, and scikit-learn's classifiers as students."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import students.data
from students.data import make
from students.data.classifier import Classifier
from teachenv.envs.datagen.domain import DOMAINS, Domain, make_domain
from teachenv.envs.datagen.domains.classes import ClassDomain
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.skill_list import SkillList
from teachenv.envs.datagen.split import PARTS, Part, draw, part_of
from teachenv.errors import UserError
from teachenv.lesson import DataPlan
from teachenv.rollouts import global_seed
from teachenv.seeding import derive


class Largest(ClassDomain):
    """Which of four numbers is the largest?"""

    id, n_levels, n_features, n_answers = "largest", 2, 4, 4
    skills: tuple[str, ...] = ("first", "second", "third", "fourth")

    def sample(self, skill: int, level: int, n: int, rng: np.random.Generator) -> Any:
        numbers = rng.random((n, 4))
        numbers[:, skill] = numbers.max(axis=1) + (0.3, 0.03)[level]
        return numbers, np.full(n, skill)


class Counts(Classifier):
    """Answers with what it was taught most often."""

    state = ("counts", "lessons")

    def __init__(self, format: Format, *, seed: int) -> None:
        self.counts, self.lessons = np.ones(format.n_answers), 0

    def train(self, items: Items, **_: Any) -> None:
        np.add.at(self.counts, items.answers, 1.0)
        self.lessons += np.int64(1)

    def probabilities(self, items: Items) -> np.ndarray[Any, Any]:
        return np.tile(self.counts / self.counts.sum(), (len(items), 1))


def largest(n: int, part: Part = "train", seed: int = 0) -> Items:
    domain: Domain = Largest()
    rng = derive(seed, "items")
    cells = np.ndindex(*domain.kinds.shape)
    return Items.concat([draw(domain, s, v, n, part, rng) for s, v in cells])


def test_a_classifiers_answers_and_losses_come_from_its_probabilities() -> None:
    student, items = Counts(Largest().format, seed=0), largest(1)
    student.train(items.take(items.skill == 2))
    made = student.predict(items)
    assert made.answers.tolist() == [2] * 8
    np.testing.assert_allclose(made.confidence, 3 / 6)
    np.testing.assert_allclose(made.loss, -np.log(np.where(items.answers == 2, 3 / 6, 1 / 6)))
    assert made.answers.dtype == np.int16
    assert made.loss.dtype == np.float32


def test_a_classifiers_state_is_what_it_names_and_is_copied() -> None:
    student, other, items = (*(Counts(Largest().format, seed=0) for _ in "ab"), largest(1))
    student.train(items)
    state = student.state_dict()
    student.train(items)
    for _ in range(2):  # neither the student nor one that took the state over changes it
        other.load_state_dict(state)
        assert (other.lessons, other.counts.sum()) == (1, 4 + 8)
        assert type(state["lessons"]) is int  # base students are kept as JSON
        other.train(items)
    assert student.lessons == 2


def test_a_domain_of_ones_own_keeps_its_parts_apart_and_errs_when_told() -> None:
    for part in PARTS:
        items = largest(30, part)
        assert set(part_of(items.keys).tolist()) == {PARTS.index(part)}
        assert (items.inputs["features"].argmax(axis=1) == items.truth).all()
    domain = Largest()
    wrong = domain.wrong(items, derive(0, "wrong"))
    assert not domain.grade(items, wrong).any()
    assert set(wrong.tolist()) == {0, 1, 2, 3}
    assert domain.text(items, 0)["answer"] == str(int(items.truth[0]))


def test_own_student_and_own_domain_are_taught_in_an_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DOMAINS, "largest", f"{__name__}:Largest")
    monkeypatch.setitem(students.data.DATA_STUDENTS, "counts", f"{__name__}:Counts")
    args: dict[str, Any] = {"domain": "largest", "n_steps": 2, "n_samples": 40, "profile": "fresh"}
    metrics = {}
    for student in ("counts", "sgd"):
        env = SkillList(student=student, **args)
        env.reset(seed=0)
        for _ in range(2):
            *_, info = env.step_plan(DataPlan.of_counts(np.full((4, 2), 5)))
        metrics[student] = info["metric"]
    assert metrics["counts"] == 0.25
    assert metrics["sgd"] > 0.5


# -- scikit-learn --------------------------------------------------------------------------------


def neighbours() -> Any:
    args = {"n_neighbors": 3, "weights": "distance"}
    return make(
        "scikit", Largest().format, seed=0, model="neighbors.KNeighborsClassifier", args=args
    )


def test_a_scikit_student_is_the_model_fitted_to_all_it_was_taught() -> None:
    student, lessons, exam = neighbours(), [largest(4), largest(4, seed=1)], largest(5, "probe")
    for lesson in lessons:
        student.train(lesson, seed=0)
    seen = Items.concat(lessons)
    model = KNeighborsClassifier(3, weights="distance").fit(seen.inputs["features"], seen.answers)
    expected = model.predict_proba(exam.inputs["features"])
    np.testing.assert_allclose(student.predict(exam).probabilities, expected, atol=1e-6)


def test_a_scikit_student_knows_only_the_classes_it_was_shown() -> None:
    student, items = neighbours(), largest(2)
    np.testing.assert_allclose(student.predict(items).probabilities, 0.25)
    student.train(items.take(items.answers == 1), seed=0)
    np.testing.assert_allclose(student.predict(items).probabilities, [[0.0, 1.0, 0.0, 0.0]] * 16)
    student.train(items.take(items.answers == 3), seed=0)
    assert set(student.predict(items).answers.tolist()) == {1, 3}


def test_a_scikit_student_goes_on_from_its_state_and_draws_by_its_seed() -> None:
    args: dict[str, Any] = {"model": "tree.DecisionTreeClassifier", "args": {"max_features": 1}}
    student, other = (make("scikit", Largest().format, seed=0, **args) for _ in "ab")
    items, exam = largest(6), largest(10, "probe")
    with global_seed(1):
        student.train(items, seed=2**40 + 7)
        other.load_state_dict(student.state_dict())
        first = [each.predict(exam).answers for each in (student, other)]
        np.testing.assert_array_equal(first[0], first[1])
        model = DecisionTreeClassifier(max_features=1, random_state=7)
        model.fit(items.inputs["features"], items.answers)
    np.testing.assert_array_equal(first[0], model.predict(exam.inputs["features"]))
    other.train(items.answered(items.answers[::-1].copy()), seed=1)
    assert (other.predict(exam).answers != first[0]).any()
    other.load_state_dict(student.state_dict())
    np.testing.assert_array_equal(other.predict(exam).answers, first[0])


def test_weights_reach_models_that_take_them_and_are_refused_by_others() -> None:
    student, items = make("scikit", Largest().format, seed=0), largest(5)
    weights = np.where(items.answers == 0, 1.0, 1e-6).astype(np.float32)
    student.train(items, seed=0, weights=weights)
    assert (student.predict(items).answers == 0).all()
    with pytest.raises(ValueError, match="no weights"):
        neighbours().train(items, seed=0, weights=weights)
    with pytest.raises(ValueError, match="soft"):
        student.train(items, seed=0, soft=np.eye(4, dtype=np.float32)[items.answers])


@pytest.mark.parametrize(
    ("hyper", "words"),
    [
        ({"model": "neighbours.KNeighborsClassifier"}, "sklearn.neighbours"),
        ({"model": "svm.SVR"}, "no classifier that gives probabilities"),
        ({"model": "linear_model.RidgeClassifier"}, "no classifier that gives probabilities"),
        ({"args": {"k": 3}}, "k"),
        ({"args": 3}, "mapping"),
    ],
)
def test_what_is_no_such_model_is_refused(hyper: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make("scikit", Largest().format, seed=0, **hyper)
    with pytest.raises(UserError, match="classes"):
        make("scikit", make_domain("math").format, seed=0)


@pytest.mark.parametrize(
    ("n_neighbors", "words"), [(9, "KNeighborsClassifier.*n_neighbors"), (0, "n_neighbors.*0")]
)
def test_a_model_that_cannot_be_fitted_says_why(n_neighbors: int, words: str) -> None:
    args = {"n_neighbors": n_neighbors}
    model = "neighbors.KNeighborsClassifier"
    student = make("scikit", Largest().format, seed=0, model=model, args=args)
    student.train(largest(1), seed=0)
    with pytest.raises(UserError, match=f"(?s)student scikit: .*{words}"):
        student.predict(largest(1))


def test_scikit_is_a_student_of_an_environment() -> None:
    args: dict[str, Any] = {
        "student": "scikit",
        "train_mode": "retrain",
        "n_steps": 2,
        "n_samples": 90,
    }
    env = SkillList("digits", **args)
    env.reset(seed=0)
    before = env.reading.accuracy.mean()
    for _ in range(2):
        env.step_plan(DataPlan.of_counts(np.full((10, 3), 3)))
    assert env.reading.accuracy.mean() > before + 0.2
