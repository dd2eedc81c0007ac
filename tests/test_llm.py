"""Language models: the client, the teacher that writes plans, the student that reads examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import chat_server

import students.data
import teachers.data
from teachenv.envs.datagen.items import Format, Items
from teachenv.errors import UserError
from teachenv.lesson import Lesson, Reading, Syllabus
from teachenv.llm import Chat, read_json

SYLLABUS = Syllabus(("add", "sub"), n_levels=2, n_steps=3, n_samples=10)
HELLO = [{"role": "user", "content": "hello"}]


def reading(accuracy: float = 0.25) -> Reading:
    cells = np.full(SYLLABUS.shape, accuracy)
    return Reading(cells, cells, cells, cells, cells, cells, np.ones(SYLLABUS.shape), 0, 1.0)


def make_teacher(url: str, **hyper: Any) -> teachers.data.DataTeacher:
    return teachers.data.make("llm", SYLLABUS, model="m", base_url=url, **hyper)


def test_a_question_is_sent_once_and_counted() -> None:
    with chat_server(lambda request: "hi") as (url, seen):
        chat = Chat("m", base_url=url)
        assert [chat.ask(HELLO), chat.ask(HELLO)] == ["hi", "hi"]
    assert len(seen) == 1
    assert seen[0]["messages"] == HELLO
    assert (chat.n_calls, chat.n_tokens) == (1, 10)


def test_a_recorded_exchange_is_replayed_without_a_server(tmp_path: Path) -> None:
    cassette = str(tmp_path / "exchanges.jsonl")
    with chat_server(lambda request: "hi") as (url, _):
        Chat("m", base_url=url, mode="record", cassette=cassette).ask(HELLO, as_json=True)
    replayed = Chat("m", mode="replay", cassette=cassette)
    assert replayed.ask(HELLO, as_json=True) == "hi"
    assert replayed.n_calls == 0
    with pytest.raises(UserError, match="no answer to 'hello'"):
        replayed.ask(HELLO)  # another request: not in JSON mode


def test_recording_goes_on_where_a_cassette_ends(tmp_path: Path) -> None:
    cassette = str(tmp_path / "exchanges.jsonl")
    with chat_server(lambda request: request["messages"][-1]["content"][::-1]) as (url, seen):
        Chat("m", base_url=url, mode="record", cassette=cassette).ask(HELLO)
        again = Chat("m", base_url=url, mode="record", cassette=cassette)
        assert again.ask(HELLO) == "olleh"
        assert again.ask([{"role": "user", "content": "you"}]) == "uoy"
    assert len(seen) == 2


def test_the_key_is_sent_but_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-key")
    cassette = tmp_path / "exchanges.jsonl"
    with chat_server(lambda request: "hi") as (url, seen):
        Chat("m", base_url=url, api_key_env="MY_KEY", mode="record", cassette=str(cassette)).ask(
            HELLO
        )
    assert seen[0]["authorization"] == "Bearer secret-key"
    assert "secret-key" not in cassette.read_text()
    assert "127.0.0.1" not in cassette.read_text()


def test_what_cannot_work_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="set OPENAI_API_KEY"):
        Chat("m").ask(HELLO)
    with pytest.raises(UserError, match="needs a cassette"):
        Chat("m", mode="record")
    with pytest.raises(UserError, match="unknown mode"):
        Chat("m", mode="tape")  # type: ignore[arg-type]
    broken = tmp_path / "broken.jsonl"
    for damage in ("{}\n", "[" * 100_000):
        broken.write_text(damage)
        with pytest.raises(UserError, match="not a cassette"):
            Chat("m", mode="replay", cassette=str(broken))
    with chat_server(lambda request: "hi") as (url, _):
        pass
    with pytest.raises(UserError, match=re.escape(url)):
        Chat("m", base_url=url, timeout_s=2.0).ask(HELLO)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": [1]}\n```', {"a": [1]}),
        ("I think {so}: [1, 2] is best", [1, 2]),
    ],
)
def test_json_is_found_among_words(text: str, value: object) -> None:
    assert read_json(text) == value


def test_an_answer_without_json_is_refused() -> None:
    with pytest.raises(UserError, match="expected JSON, got 'no"):
        read_json("no idea {")


def test_the_models_plan_becomes_ours_and_lost_samples_are_counted() -> None:
    items = [
        {"skill": "sub", "level": 1, "count": 4},
        {"skill": "divide", "level": 0, "count": 3},
        {"skill": 0, "level": 0, "count": 2.5},
        {"skill": 0, "level": 0, "count": 5},
        "nothing",
    ]
    with chat_server(lambda request: json.dumps({"items": items, "reason": "weak"})) as (url, _):
        teacher = make_teacher(url)
        teacher.begin()
        plan = teacher.plan(reading())
    assert plan.counts(SYLLABUS.shape).tolist() == [[5, 0], [0, 4]]
    assert plan.reason == "weak"
    described = teacher.describe()
    assert (described["lost_items"], described["lost_samples"]) == (3, 1)


def test_a_plan_is_cut_at_the_samples_of_a_lesson() -> None:
    items = [{"skill": 0, "level": 0, "count": 8}, {"skill": 1, "level": 0, "count": 8}]
    with chat_server(lambda request: json.dumps({"items": items})) as (url, _):
        teacher = make_teacher(url)
        teacher.begin()
        assert teacher.plan(reading()).counts(SYLLABUS.shape).tolist() == [[8, 0], [2, 0]]


def test_a_reply_that_is_no_plan_teaches_nothing_and_stops_nothing() -> None:
    with chat_server(lambda request: "I would rather not.") as (url, _):
        teacher = make_teacher(url)
        teacher.begin()
        plan = teacher.plan(reading())
        taught = np.zeros(SYLLABUS.shape, dtype=np.int64)
        teacher.tell(Lesson(plan, taught, reading(), 0.0, False))
        assert plan.total == 0
        assert teacher.plan(reading(0.5)).total == 0
    assert teacher.describe()["lost_samples"] == 20


def test_only_with_state_does_the_model_see_how_the_student_does() -> None:
    with chat_server(lambda request: '{"items": []}') as (url, seen):
        for with_state in (True, False):
            teacher = make_teacher(url, with_state=with_state)
            teacher.begin()
            teacher.plan(reading(0.37))
    told, untold = (request["messages"][-1]["content"] for request in seen)
    assert "add | 0 | 0.37" in told
    assert "0.37" not in untold
    assert "add" in untold


# -- the student --------------------------------------------------------------------------

WORDS = ("", *"0123456789", "+", "=")
FORMAT = Format({"tokens": (4,)}, "tokens", len(WORDS), answer_width=2, vocabulary=WORDS)


def sums(pairs: list[tuple[int, int]]) -> Items:
    questions = [[a + 1, 11, b + 1, 12] for a, b in pairs]
    answers = [[*(int(d) + 1 for d in str(a + b)), 0, 0][:2] for a, b in pairs]
    truth = np.array(answers, dtype=np.int16)
    where = np.zeros(len(pairs), dtype=np.int16)
    keys = np.arange(len(pairs), dtype=np.uint64)
    tokens = np.array(questions, dtype=np.int16)
    return Items({"tokens": tokens}, truth, truth, where, where, keys)


def adder(request: dict[str, Any]) -> str:
    """Answer like a model that can add once it has seen an example."""
    text = request["messages"][-1]["content"]
    questions = re.findall(r"Question \d+: (\d)\+(\d)=", text)
    shown = "A: " in text
    return json.dumps({"answers": [str(int(a) + int(b)) if shown else "?" for a, b in questions]})


def test_the_student_learns_from_examples_in_its_context() -> None:
    asked = sums([(1, 2), (9, 8), (0, 0)])
    with chat_server(adder) as (url, seen):
        student = students.data.make("llm", FORMAT, seed=0, model="m", base_url=url, batch=2)
        before = student.predict(asked)
        student.train(sums([(2, 2), (3, 4)]), seed=0)
        after = student.predict(asked)
        assert len(seen) == 4  # two batches, before and after
    assert (before.answers == 0).all()
    assert (after.answers == asked.truth).all()
    assert before.loss.min() > 0.0
    assert after.loss.max() == 0.0


def test_the_student_keeps_its_newest_examples_and_can_be_put_back() -> None:
    student = students.data.make("llm", FORMAT, seed=0, model="m", n_shots=2)
    empty = student.state_dict()
    student.train(sums([(1, 1), (2, 2)]), seed=0)
    student.train(sums([(4, 4)]), seed=0)
    state = student.state_dict()
    assert state["questions"].shape == (2, 4)
    assert state["questions"][-1].tolist() == [5, 11, 5, 12]
    student.load_state_dict(empty)
    assert student.state_dict()["questions"].shape == (0, 4)


def test_a_short_or_foreign_reply_counts_as_wrong_answers() -> None:
    with chat_server(lambda request: '{"answers": ["3"]}') as (url, _):
        student = students.data.make("llm", FORMAT, seed=0, model="m", base_url=url)
        answers = student.predict(sums([(1, 2), (1, 2)])).answers
    assert answers.tolist() == [[4, 0], [0, 0]]
