"""Language models that write data and name skills, against a server that speaks the protocol."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from chat_server import chat_server

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine_llm import LlmEngine, LlmGrouping
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw, part_of
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, PlanItem
from teachenv.llm import Chat

MATH: Any = make_domain("math", skills=("add", "sub"), n_levels=3)
PLAN = DataPlan((PlanItem(0, 1, 30), PlanItem(1, 0, 10)))


def solved(question: str) -> str:
    """Answer "12 + 34" as the student writes it: units first."""
    a, symbol, b = question.split()
    value = int(a) + int(b) if symbol == "+" else int(a) - int(b)
    width = MATH.format.answer_width if symbol == "+" else MATH.format.answer_width - 1
    return " ".join(str(value).zfill(width)[::-1])


def annotator(request: dict[str, Any], every: int = 4) -> str:
    """Answer questions right, but every fourth with a word."""
    text = request["messages"][-1]["content"]
    questions = re.findall(r"Question \d+: (.*)", text)
    answers = [solved(q) if i % every else "dunno" for i, q in enumerate(questions)]
    return json.dumps({"answers": answers})


def test_the_model_answers_the_domains_questions_and_unreadable_ones_are_lost() -> None:
    with chat_server(annotator) as (url, seen):
        engine = LlmEngine(MATH, Chat("m", base_url=url), way="annotate")
        made = engine.make(PLAN, np.random.default_rng(0))
    assert made.items is not None
    assert (part_of(made.items.keys) == 0).all()
    np.testing.assert_array_equal(made.items.answers, made.items.truth)
    assert made.made.tolist() == [[0, 22, 0], [7, 0, 0]]  # of 20 + 10 and 10, a quarter lost
    assert made.rejected.sum() == 11
    assert made.accepted == 29 / 40
    assert len(seen) == 3


@pytest.mark.parametrize("way", ["annotate", "write"])
def test_only_the_variant_asked_for_is_taught(way: Any) -> None:
    def model(request: dict[str, Any]) -> str:
        if way == "annotate":
            return annotator(request, every=100)
        sums = [f"1{a} + 1{b}" for a, b in ((1, 2), (2, 9), (3, 4), (4, 8), (5, 3), (6, 6), (7, 9))]
        return json.dumps({"items": [{"question": q, "answer": solved(q)} for q in sums]})

    with chat_server(model) as (url, _):
        engine = LlmEngine(MATH, Chat("m", base_url=url), way=way)
        item = PlanItem(0, 1, 10, {"variant": "with carry"})
        made = engine.make(DataPlan((item,)), np.random.default_rng(0))
    assert made.items is not None
    assert MATH.variant(made.items).all()


def test_its_errors_reach_the_student_unless_the_grader_filters_them() -> None:
    def wrong(request: dict[str, Any]) -> str:
        questions = re.findall(r"Question \d+: (.*)", request["messages"][-1]["content"])
        return json.dumps({"answers": ["9 9 9"] * len(questions)})

    with chat_server(wrong) as (url, _):
        chat = Chat("m", base_url=url)
        unchecked = LlmEngine(MATH, chat, way="annotate", quality="none")
        taught = unchecked.make(PLAN, np.random.default_rng(0))
        filtered = LlmEngine(MATH, chat, way="annotate").make(PLAN, np.random.default_rng(0))
    assert taught.items is not None
    assert not MATH.grade(taught.items, taught.items.answers).any()
    assert filtered.items is None
    assert filtered.rejected.sum() == 40


def test_answers_that_change_when_asked_again_are_lost() -> None:
    told: set[str] = set()

    def fickle(request: dict[str, Any]) -> str:
        """Answer right the first time; later wrong where the question ends on an even digit."""
        questions = re.findall(r"Question \d+: (.*)", request["messages"][-1]["content"])
        answers = ["9 9 9" if q in told and int(q[-1]) % 2 == 0 else solved(q) for q in questions]
        told.update(questions)
        return json.dumps({"answers": answers})

    with chat_server(fickle) as (url, seen):
        engine = LlmEngine(MATH, Chat("m", base_url=url), way="annotate", quality="agree")
        made = engine.make(DataPlan((PlanItem(0, 1, 20),)), np.random.default_rng(0))
    assert len(seen) == 2
    assert made.items is not None
    asked = {text(made.items, i) for i in range(len(made.items))}
    assert asked == {question for question in told if int(question[-1]) % 2}
    assert 0 < len(asked) < len(told)


def test_what_the_model_writes_is_read_checked_and_kept_out_of_the_other_parts() -> None:
    written = [f"{a} + {b}" for a in range(10, 40) for b in range(10, 14)]
    left: list[Any] = [{"question": q, "answer": solved(q)} for q in written]
    left[0] = {"question": "5 + 5", "answer": solved("5 + 5")}  # of another level
    left[1] = {"question": "what is love?", "answer": "1"}
    left[2] = "nothing"
    left[3] = left[4]  # twice

    def writer(request: dict[str, Any]) -> str:
        content = request["messages"][-1]["content"]
        assert re.search(r"'question': '\d\d \+ \d\d'", content)
        n = int(re.findall(r"Write (\d+) more", content)[0])
        rows, left[:n] = left[:n], []
        return json.dumps({"items": rows})

    with chat_server(writer) as (url, seen):
        engine = LlmEngine(MATH, Chat("m", base_url=url), way="write")
        made = engine.make(DataPlan((PlanItem(0, 1, 120),)), np.random.default_rng(0))
    assert len(seen) == 6  # 20 a request
    assert made.items is not None
    assert (part_of(made.items.keys) == 0).all()
    assert 60 < len(made.items) < 117  # four fifths of them may train; some are commuted twins
    assert len(np.unique(made.items.keys)) == len(made.items)
    np.testing.assert_array_equal(made.items.answers, made.items.truth)
    assert {text(made.items, i) for i in range(len(made.items))} <= set(written)


def text(items: Items, index: int) -> str:
    return MATH.text(items, index)["question"]


@pytest.mark.parametrize("reply", ["no", "{}", '{"answers": 3}', '{"items": 3}'])
@pytest.mark.parametrize("way", ["annotate", "write"])
def test_a_reply_of_another_form_makes_no_data_and_no_crash(way: Any, reply: str) -> None:
    with chat_server(lambda request: reply) as (url, _):
        engine = LlmEngine(MATH, Chat("m", base_url=url), way=way)
        made = engine.make(PLAN, np.random.default_rng(0))
    assert made.items is None
    assert made.rejected.sum() == 40


def test_a_domain_of_pictures_is_refused() -> None:
    with pytest.raises(UserError, match="digits"):
        LlmEngine(make_domain("digits"), Chat("m"))


def test_skills_are_named_grouped_and_found_again_in_new_questions() -> None:
    def namer(request: dict[str, Any]) -> str:
        system, content = (message["content"] for message in request["messages"])
        if "categories" in system:
            names = content.splitlines()
            return json.dumps(
                {
                    "categories": {
                        "sorting": [n for n in names if "sort" in n],
                        "arithmetic": [n for n in names if "sum" in n],
                    }
                }
            )
        questions = re.findall(r"Question \d+: (.*)", content)
        return json.dumps({"skills": ["a sum" if "+" in q else "sort it" for q in questions]})

    domain = make_domain("math", skills=("add", "sort"), n_levels=3)
    rng = np.random.default_rng(0)
    sample = Items.concat([draw(domain, s, v, 15, "probe", rng) for s in (0, 1) for v in range(3)])
    with chat_server(namer) as (url, seen):
        grouping = LlmGrouping(domain, sample, 3, Chat("m", base_url=url))
    assert grouping.names == ("arithmetic", "sorting")
    assert len(seen) == 6  # five batches of names, one of categories
    for skill, name in enumerate(grouping.names):
        items = draw(domain, skill, 1, 50, "train", rng)
        assert {grouping.names[label] for label in grouping.label(items)} == {name}


THREE = {"sums": ["add", "subtract"], "lists": ["sort"], "rest": ["max"]}


@pytest.mark.parametrize(
    ("groups", "n_skills", "expected"),
    [
        (THREE, 3, ("lists", "rest", "sums")),
        (THREE, 2, ("other", "sums")),
        (THREE, 1, ("other",)),
        ({"all": ["add", "subtract", "sort", "max"]}, 1, ("all",)),
    ],
)
def test_there_are_never_more_categories_than_asked_for(
    groups: dict[str, list[str]], n_skills: int, expected: tuple[str, ...]
) -> None:
    def grouper(request: dict[str, Any]) -> str:
        if "categories" in request["messages"][0]["content"]:
            return json.dumps({"categories": groups})
        return json.dumps({"skills": ["add", "sort", "subtract", "max"] * 5})

    domain = make_domain("math", skills=("add", "sort"), n_levels=3)
    sample = draw(domain, 0, 0, 20, "probe", np.random.default_rng(0))
    with chat_server(grouper) as (url, _):
        assert LlmGrouping(domain, sample, n_skills, Chat("m", base_url=url)).names == expected


@pytest.mark.parametrize("reply", ["no idea", '{"skills": 3, "categories": {"sums": 1}}'])
def test_without_usable_names_all_questions_are_one_skill(reply: str) -> None:
    domain = make_domain("math", skills=("add", "sort"), n_levels=3)
    sample = draw(domain, 0, 0, 10, "probe", np.random.default_rng(0))
    with chat_server(lambda request: reply) as (url, _):
        grouping = LlmGrouping(domain, sample, 3, Chat("m", base_url=url))
    assert grouping.names == ("other",)
    assert (grouping.label(sample) == 0).all()


def test_an_environment_is_taught_graded_and_grouped_by_models(tmp_path: Path) -> None:
    def all_roles(request: dict[str, Any]) -> str:
        system = request["messages"][0]["content"]
        if "skill" in system:
            return json.dumps({"skills": ["sums"] * 20, "categories": {"arithmetic": ["sums"]}})
        return annotator(request)

    def episode(**llm: Any) -> tuple[float, list[float], list[list[int]]]:
        env: Any = gym.make(
            "teachenv/DataGenSkillList-math-v0",
            domain_args={"skills": ("add", "sub"), "n_levels": 2},
            student="gru",
            profile="fresh",
            n_steps=2,
            n_samples=40,
            probe_size=4,
            action_mode="cell",
            skill_source="llm",
            engine="annotate",
            llm={"model": "m", **llm},
        ).unwrapped
        env.reset(seed=0)
        assert env.classroom.engine.quality == "answer"
        rewards, taught = [], []
        for _ in range(2):
            _, reward, _, _, info = env.step(0)
            rewards.append(float(reward))
            taught.append(info["taught"].tolist())
        assert env.syllabus.skills == ("arithmetic",)
        return info["metric"], rewards, taught

    cassette = str(tmp_path / "exchanges.jsonl")
    with chat_server(all_roles) as (url, _):
        recorded = episode(base_url=url, mode="record", cassette=cassette)
    assert all(26 <= lesson[0][0] <= 31 and lesson[0][1] == 0 for lesson in recorded[2])
    assert episode(mode="replay", cassette=cassette) == recorded


def test_settings_of_the_model_are_checked() -> None:
    for change, said in (
        ({"engine": "magic"}, "unknown engine"),
        ({"engine": "write"}, "name a model"),
        ({"engine": "write", "llm": {"model": "m", "key": "x"}}, "unknown argument of llm 'key'"),
        ({"engine": "write", "error_rate": 0.1, "llm": {"model": "m"}}, "its own errors"),
    ):
        with pytest.raises(UserError, match=said):
            gym.make("teachenv/DataGenSkillList-math-v0", **change)
