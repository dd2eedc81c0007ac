"""Skill trees: how they grow, what they ask for, and who proposes what grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import chat_server
from test_datagen_envs import even, make

from teachenv.envs.datagen.domain import Varied, make_domain, variants_of
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.proposers import ByErrors, InOrder, LlmProposer
from teachenv.envs.datagen.split import draw
from teachenv.envs.datagen.trees import Seen, Subskill, Trees, subskills
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, PlanItem, Syllabus
from teachenv.llm import Chat
from teachenv.seeding import derive
from teachenv.trees import Move

MATH = {"domain_args": {"skills": ("add", "sort"), "n_levels": 3}}
CARRY = ("without carry", "with carry")


def seen(accuracy: Any) -> Seen:
    """Return ten answers per cell with these accuracies, no variants."""
    right = 10.0 * np.array(accuracy)[:, :, None]
    return Seen(np.full_like(right, 10.0), right)


# -- trees --------------------------------------------------------------------------------------


def test_subskills_go_from_single_levels_to_all() -> None:
    bands = [(first, last) for _, first, last in subskills(3, 0)]
    assert bands == [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)]
    assert subskills(2, 1)[:4] == [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)]


def test_trees_grow_and_share_a_lesson() -> None:
    probe = seen([[0.9, 0.8, 0.1], [0.5, 0.5, 0.5]])
    names: list[tuple[str, ...]] = [(), ()]
    trees = Trees(3, names, n_slots=4, block=10, limit=30, proposer=InOrder(3, names))
    trees.explore(0, 2, probe)
    trees.explore(1, 1, probe)
    assert trees.alloc.tolist() == [[10, 10, 0, 0], [10, 0, 0, 0]]
    trees.exploit_weakest(0, probe)
    assert trees.alloc[0].tolist() == [10, 20, 0, 0]
    trees.exploit_all(0)
    assert trees.alloc[0].tolist() == [15, 25, 0, 0]
    trees.exploit(0, np.array([-50, 50, 50, 0]))
    assert trees.alloc[0].tolist() == [0, 30, 0, 0]
    assert trees.counts(100)[:, :, 0].tolist() == [[0, 30, 0], [10, 0, 0]]
    assert trees.counts(20)[:, :, 0].tolist() == [[0, 15, 0], [5, 0, 0]]
    trees.reset(1)
    assert trees.counts(100).sum() == 30
    trees.explore(1, 3, probe)
    assert trees.slots[1][3] == Subskill(0, 0, 1)
    trees.begin_step()
    trees.explore(1, 1, probe)
    assert trees.full.tolist() == [False, True]
    assert not trees.last.any()


def test_the_subskill_with_most_errors_comes_first() -> None:
    propose = ByErrors(3, [(), ()])
    probe = seen([[0.9, 0.8, 0.1], [0.5, 0.5, 0.5]])
    assert propose(0, 2, [], probe) == [Subskill(0, 2, 2), Subskill(0, 1, 2)]
    assert propose(0, 1, [Subskill(0, 2, 2)], probe) == [Subskill(0, 1, 2)]


def test_what_was_not_asked_of_a_variant_is_known_by_its_band() -> None:
    probe = Seen(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)))
    probe.asked[0, 0], probe.right[0, 0] = (8, 8, 0), (6, 2, 0)
    assert probe.accuracy(0, Subskill(1, 0, 0)) == 0.25
    assert probe.accuracy(0, Subskill(2, 0, 0)) == 0.75
    assert probe.accuracy(0, Subskill(0, 1, 1)) == 1.0  # no errors where none was asked


# -- variants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("skill", ["add", "sub", "mul"])
def test_variants_tell_carries_from_none(skill: str) -> None:
    domain = make_domain("math", skills=[skill])
    assert isinstance(domain, Varied)
    for level in range(domain.n_levels):
        for variant in (0, 1):
            items = draw(domain, 0, level, 30, "train", derive(0, "draw"), variant)
            assert (domain.variant(items) == variant).all()
            texts = [domain.text(items, i)["question"].split() for i in range(30)]
            assert [_carries(int(a), s, int(b)) for a, s, b in texts] == [variant == 1] * 30


def _carries(a: int, symbol: str, b: int) -> bool:
    """Work it out by hand, digit by digit."""
    first, second = (str(n).zfill(6)[::-1] for n in (a, b))
    if symbol == "*":
        return any(int(d) * b > 9 for d in first)
    pairs = [(int(x), int(y)) for x, y in zip(first, second, strict=True)]
    return any(x + y > 9 for x, y in pairs) if symbol == "+" else any(x < y for x, y in pairs)


def test_an_engine_makes_the_variant_a_plan_asks_for() -> None:
    domain = make_domain("math", skills=["add", "sort"])
    assert variants_of(domain) == (CARRY, ())
    items = (
        PlanItem(0, 1, 20, {"variant": "with carry"}),
        PlanItem(0, 1, 5, {"variant": "without carry"}),
        PlanItem(1, 0, 7),
    )
    made = Engine(domain).make(DataPlan(items), derive(0, "data"))
    assert made.items is not None
    assert isinstance(domain, Varied)
    assert made.made[0, 1] == 25
    assert domain.variant(made.items).sum() == 20


def test_a_variant_that_does_not_exist_is_malformed() -> None:
    env = make("SkillTree", "math", **MATH, student="gru", profile="fresh", n_samples=20)
    env.reset(seed=0)
    items = (
        PlanItem(0, 0, 5, {"variant": "backwards"}),
        PlanItem(1, 0, 5, {"variant": "with carry"}),
        PlanItem(0, 0, 5, {"variant": "with carry"}),
    )
    *_, info = env.step_plan(DataPlan(items))
    assert (info["malformed"], info["spent"], info["taught"].sum()) == (2, 15, 5)
    assert env.domain.variant(env.classroom.made.items).all()


# -- the environment ----------------------------------------------------------------------------


def test_a_tree_is_seen_masked_and_rewarded() -> None:
    env = make("SkillTree", n_samples=60, block=6, profile="fresh", reward_scale=1.0)
    _, info = env.reset(seed=0)
    masks = info["action_mask"].reshape(10, 6)
    assert masks.tolist() == [[True, True, True, False, False, False]] * 10
    observation, reward, *_, info = env.step(np.array([2] + [1] * 9))
    assert observation["exists"].sum() == 11
    assert observation["train_known"][0].tolist() == [1, 1, 0, 0, 0, 0]
    assert observation["first"][0].tolist() == [0.0, 0.5, 0, 0, 0, 0]
    assert observation["data"][:, 0] + observation["data"][:, 1] == pytest.approx(
        observation["alloc"].sum(axis=1), abs=0.02
    )
    assert info["spent"] == 60
    assert info["reward_vector"].mean() == pytest.approx(reward)
    assert env.action_masks().reshape(10, 6)[0].tolist() == [True] * 6
    observation, *_, info = env.step(np.zeros(10, dtype=np.int64))
    assert info["spent"] == 60  # allocations stay
    *_, info = env.step(np.full(10, 5))
    assert info["spent"] == 0
    assert not info["full"].any()


def test_the_full_action_explores_by_its_first_entry() -> None:
    env = make("SkillTree", action_mode="full", n_samples=60, block=6)
    env.reset(seed=0)
    action = np.full((10, 7), -1.0, dtype=np.float32)
    action[:3, 0] = 0.5
    observation, *_ = env.step(action.reshape(-1))
    assert observation["exists"].sum(axis=1).tolist() == [1, 1, 1] + [0] * 7
    action[:, 0], action[1, 1] = -1.0, 1.0
    observation, *_ = env.step(action.reshape(-1))
    assert env.trees.alloc[:3, 0].tolist() == [0, 12, 0]


def test_a_plan_given_past_the_trees_shows_no_action() -> None:
    env = make("SkillTree", n_samples=60)
    env.reset(seed=0)
    observation, *_ = env.step(np.ones(10, dtype=np.int64))
    assert observation["last_action"][:, 0].tolist() == [0.5] * 10
    observation, *_ = env.step_plan(even(env, 60))
    assert not observation["last_action"].any()
    assert observation["exists"].sum() == 10


SMALL = {"n_samples": 30, "n_steps": 4, "probe_size": 3, "block": 3}
EXPLORE, WAIT = ("explore 1",) * 10, ("wait",) * 10
EPISODES: dict[str, list[tuple[Any, tuple[Move, ...]]]] = {
    "simple": [
        (np.array([2] + [1] * 9), ("explore 2", *EXPLORE[1:])),
        (np.array([3, 4, 5] + [0] * 7), ("exploit weakest", "exploit all", "reset", *WAIT[3:])),
    ],
    "full": [
        (np.eye(1, 70, 0), ("explore 1", *((0,) * 6,) * 9)),
        (np.full(70, -0.5) + np.eye(1, 70, 1)[0], ((2, -2), *((-2,),) * 9)),
    ],
}
"""Actions and the moves they are, 10 trees of 6 slots and blocks of 3."""


@pytest.mark.parametrize("mode", EPISODES)
def test_actions_and_plans_of_moves_give_the_same_episode(mode: str) -> None:
    by_action, by_plan = (make("SkillTree", action_mode=mode, **SMALL) for _ in range(2))
    for env in (by_action, by_plan):
        env.reset(seed=0)
    for action, moves in EPISODES[mode] * 2:
        observation, reward, *ends, info = by_action.step(action.reshape(-1))
        again = by_plan.step_plan(DataPlan((), "a reason", moves))
        assert (reward, *ends, repr(info)) == (*again[1:4], repr(again[4]))
        for name, values in observation.items():
            np.testing.assert_array_equal(values, again[0][name])
        assert by_plan.plan.total == info["spent"]
        assert by_plan.plan.reason == "a reason"
    assert by_action.trees.slots[0]


def test_moves_are_refused_where_there_are_no_trees() -> None:
    for variant in ("SkillList", "OpenEnded"):
        env = make(variant, n_steps=2, n_samples=9, probe_size=2)
        env.reset(seed=0)
        with pytest.raises(UserError, match="moves grow skill trees, in lessons of a DataGenSkill"):
            env.step_plan(DataPlan((), moves=WAIT))
        assert (env.classroom.step, env.reading.step) == (0, 0)
    env = make("SkillTree", **SMALL)
    env.reset(seed=0)
    with pytest.raises(UserError, match="moves grow skill trees"):
        env.rehearse([DataPlan((), moves=WAIT)])


def test_bad_moves_are_refused_before_a_tree_grows() -> None:
    env = make("SkillTree", **SMALL)
    env.reset(seed=0)
    for moves, message in (
        ((*EXPLORE[1:], "explore"), "move 9: unknown move 'explore'.*did you mean 'explore 2'"),
        ((*EXPLORE[2:], (0.5,), 7), r"(?s)move 8: expected whole numbers.*move 9: expected one of"),
        ((*EXPLORE[1:], (31,)), r"move 9: expected whole numbers in \[-30, 30\], got \(31,\)"),
        ((*EXPLORE[1:], (1,) * 7), "at most 6 changes"),
        (EXPLORE[1:], "moves: expected 10, one per skill"),
    ):
        with pytest.raises(UserError, match=message):
            env.step_plan(DataPlan((), moves=moves))
    assert not env.trees.exists.any()
    assert env.classroom.step == 0


def test_moves_go_through_json() -> None:
    syllabus = Syllabus(("add", "sort"), 3, 4, 40)
    plan = DataPlan((), "why", ("explore 1", (4, -2)))
    stored = json.loads(json.dumps(plan.to_json()))
    assert DataPlan.from_json(stored, syllabus) == plan
    assert DataPlan.from_json({"moves": ["explore 1", [4, -2]], "reason": "why"}, syllabus) == plan
    assert "moves" not in DataPlan((PlanItem(0, 0, 1),)).to_json()
    with pytest.raises(UserError, match=r"move 0: unknown move 'grow'.*\n.*move 1: expected whole"):
        DataPlan.from_json({"moves": ["grow", [41]]}, syllabus)
    with pytest.raises(UserError, match="expected 2, one per skill"):
        DataPlan.from_json({"moves": {"add": "wait"}}, syllabus)
    both = {"items": [{"skill": 0, "level": 0, "count": 1}], "moves": ["wait", "wait"]}
    with pytest.raises(UserError, match="items or moves, got both"):
        DataPlan.from_json(both, syllabus)


def test_a_reading_has_the_trees() -> None:
    env = make("SkillTree", **SMALL, visible_share=0.5)
    env.reset(seed=0)
    assert [tree.free for tree in env.reading.trees] == [6] * 10
    *_, info = env.step_plan(DataPlan((), moves=("explore 2", *EXPLORE[1:])))
    tree = env.reading.trees[0]
    assert [(s.variant, s.first, s.last, s.alloc) for s in tree.subskills] == [
        (0, 0, 0, 3), (0, 1, 1, 3),
    ]  # fmt: skip
    assert tree.taught == sum(s.taught for s in tree.subskills) == info["taught"][0].sum()
    assert (tree.free, tree.last) == (4, (2.0, 0.0, 0.0))
    for tree, accuracy, visible in zip(
        env.reading.trees, env.reading.accuracy, env.reading.visible, strict=True
    ):
        assert tree.subskills[0].accuracy == (accuracy[0] if visible[0] else None)
    assert info["report"]["trees"] == [tree.to_json() for tree in env.reading.trees]
    json.dumps(info["report"])


def test_a_tree_can_ask_for_a_variant() -> None:
    env = make(
        "SkillTree", "math", **MATH, student="gru", profile="fresh", n_samples=40, block=40,
        n_slots=0, n_steps=6, probe_size=4,
    )  # fmt: skip
    observation, _ = env.reset(seed=0)
    assert observation["exists"].shape == (2, 18)
    for _ in range(2):
        env.step(np.array([2, 0]))
    observation, *_ = env.step(np.array([0, 0]))
    assert env.trees.slots[0] == [(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 0)]
    assert observation["variant"][0, :4].tolist() == [0.0, 0.0, 0.0, 0.5]
    counts = env.trees.counts(40)
    assert counts[0, 0].tolist() == [10, 10, 0]
    items = env.classroom.made.items
    easy = env.domain.variant(items)[(items.skill == 0) & (items.level == 0)]
    assert (easy == 0).sum() >= 10
    assert observation["data"][0, 3] > 0.0


# -- a language model proposes ------------------------------------------------------------------

ASKED = Seen(np.full((2, 3, 3), 10.0), np.full((2, 3, 3), 4.0))


def proposer(url: str) -> LlmProposer:
    syllabus = Syllabus(("add", "sort"), 3, 4, 40)
    return LlmProposer(syllabus, [CARRY, ()], Chat("m", base_url=url))


def test_what_a_model_proposes_is_checked_one_by_one() -> None:
    rows = [
        {"variant": "with carry", "first": 1, "last": 2},
        {"variant": "with carry", "first": 1, "last": 2},  # twice
        {"variant": "backwards", "first": 0, "last": 0},
        {"variant": None, "first": 0, "last": 0},  # is there
        {"variant": None, "first": 2, "last": 1},
        {"variant": None, "first": 0, "last": 3},
        {"variant": ["x"], "first": "0", "last": True},
        "nothing",
        {"variant": "all", "first": 0, "last": 2},
        {"variant": "without carry", "first": 0, "last": 2},
    ]
    with chat_server(lambda request: json.dumps({"subskills": rows})) as (url, asked):
        propose = proposer(url)
        found = propose(0, 2, [Subskill(0, 0, 0)], ASKED)
    assert found == [Subskill(2, 1, 2), Subskill(0, 0, 2)]
    assert (propose.n_asked, propose.n_accepted) == (2, 2)
    told = asked[0]["messages"][-1]["content"]
    assert "Skill: add. Levels: 0 (easiest) to 2. Variants: without carry, with carry." in told
    assert "with carry | 1 | 0.40" in told
    assert "Subskills there are: all, levels 0 to 0." in told
    assert "Propose 2 new." in told


@pytest.mark.parametrize("reply", ["no", "{}", "[]", '{"subskills": 3}'])
def test_a_reply_of_another_form_proposes_nothing(reply: str) -> None:
    with chat_server(lambda request: reply) as (url, _):
        assert proposer(url)(1, 2, [], ASKED) == []


def test_trees_grow_by_a_model_and_again_from_the_record(tmp_path: Path) -> None:
    def model(request: dict[str, Any]) -> str:
        told = request["messages"][-1]["content"]
        rows = [{"variant": "with carry", "first": 2, "last": 2}, {"first": 0, "last": 1}]
        return json.dumps({"subskills": rows}) if "Skill: add" in told else "I do not know."

    def episode(**llm: Any) -> tuple[list[float], list[Any], list[bool]]:
        env = make(
            "SkillTree", "math", **MATH, student="gru", profile="fresh", n_samples=30, n_steps=2,
            probe_size=4, proposer="llm", llm={"model": "m", **llm},
        )  # fmt: skip
        env.reset(seed=0)
        results = [env.step(np.array([2, 1])) for _ in range(2)]
        return [r[1] for r in results], env.trees.slots, results[-1][-1]["full"].tolist()

    cassette = str(tmp_path / "exchanges.jsonl")
    with chat_server(model) as (url, requests):
        recorded = episode(base_url=url, mode="record", cassette=cassette)
    assert recorded[1:] == ([[(2, 2, 2), (0, 0, 1)], []], [True, True])
    assert len(requests) == 3  # nothing had changed for "sort", so nothing new was asked
    assert episode(mode="replay", cassette=cassette) == recorded


def test_a_model_has_to_be_named() -> None:
    with pytest.raises(UserError, match="name a model"):
        make("SkillTree", proposer="llm")
