"""Same seeds, same everything: teachers here and in other processes, and every environment."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import broken_teachers
import gymnasium as gym
import numpy as np
import pytest
from bars import Bar
from broken_envs import (
    NumpyGlobal,
    OwnEntropy,
    PythonGlobal,
    RemembersAbandoned,
    RemembersEpisodes,
)
from ledger import check_rows
from small_teachers import N_TRIALS, build
from toys import Ladder

import teachenv  # noqa: F401  (registers the environments)
import teachers
from teachenv.broker import Broker
from teachenv.env import Level, MakeEnv
from teachenv.envs import ENVS
from teachenv.envs.datagen.base_env import DataGenEnv
from teachenv.rollouts import actions, freeze, global_seed, global_state
from teachenv.seeding import derive
from teachenv.vector import CurriculumVector
from teachenv.wrap import CurriculumWrapper
from teachers import check_processes, check_sameness, probe
from teachers.check_case import Case

SPACE = probe.SAMPLE_SPACES["two"]

# -- teachers --------------------------------------------------------------------------------


def reproducibility(factory: Any, n_trials: int) -> set[str]:
    """Codes of what is wrong with teachers of five seeds, told late and shuffled."""
    case = Case(factory, SPACE, {}, "nothing", 3 * n_trials)  # the rule drives a third
    return {code for code, _ in check_sameness.seeds(case)}


FEWER = {"currot": 400, "goal-gan": 200, "setter-solver": 400}
"""Trials of teachers that take milliseconds for one."""


@pytest.mark.slow
@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_two_thousand_trials_follow_from_the_seed(id: str, bar: Bar) -> None:
    n_trials = FEWER.get(id, 2000)
    assert reproducibility(partial(build, id), n_trials) == set()
    pairs = len(check_sameness.SEEDS)
    bar("D1", teachers=1, pairs=pairs, trials_compared=pairs * n_trials)


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ("SeedZeroIgnored", "not-reproducible"),
        ("DrawsFreshEntropy", "not-reproducible"),
        ("UsesObjectIds", "not-reproducible"),
        ("SeedIgnored", "seed-ignored"),
    ],
)
def test_teachers_that_do_not_follow_from_the_seed_are_found(
    mutation: str, code: str, bar: Bar
) -> None:
    factory = broken_teachers.broken(
        getattr(broken_teachers, mutation), teachers.teacher_class("uniform")
    )
    assert reproducibility(factory, 100) == {code}
    bar("D1", f"{mutation} found")


@pytest.mark.parametrize(
    "worlds",
    [check_processes.WORLDS[2:], pytest.param(check_processes.WORLDS[:2], marks=pytest.mark.slow)],
    ids=["one", "two"],
)
def test_same_trials_in_other_processes_and_with_other_thread_counts(
    worlds: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    monkeypatch.setattr(check_processes, "WORLDS", worlds)
    broken = broken_teachers.broken(
        broken_teachers.DifferentInAnotherProcess, teachers.teacher_class("uniform")
    )
    jobs = {
        id: check_processes.job_for(partial(build, id), SPACE, N_TRIALS.get(id, 100))
        for id in teachers.TEACHERS
    }
    jobs["broken"] = check_processes.job_for(broken, SPACE, 100)  # the control
    expected = {id: job.run() for id, job in jobs.items() if job is not None}
    assert expected.keys() == jobs.keys()
    elsewhere = check_processes.run_elsewhere(jobs)
    for found in elsewhere:
        assert {id for id in jobs if found[id] != expected[id]} == {"broken"}
    n_teachers = len(jobs) - 1
    bar("D2", "DifferentInAnotherProcess found", teachers=n_teachers, processes=len(elsewhere))


# -- environments ----------------------------------------------------------------------------

N_TASKS, SEEDS, N_STEPS = 5, (0, 1, 2**31 - 1), 200
TOLD = ("task", "level_seed", "is_success", "progress")
PLAIN = {f"teachenv/{name}-v0" for name in ("SkillGrid", "Forgetting", "SteppingStones")}
"""Environments in which nothing is random."""
BLUNT = "teachenv/DataGenSkillTree-code-v0"
"""One whose student has learnt nothing yet after the few lessons it gets here."""


def history(
    env: Any, task: Any, seed: int, n_steps: int, beside: Iterator[None] | None = None
) -> tuple[str, str]:
    """Digests of what ``reset(seed)`` and so many steps show, episode after episode.

    The first one is of everything, the second one leaves out what infos tell.
    """
    told, seen = hashlib.sha256(), hashlib.sha256()

    def note(observation: Any, info: dict[str, Any], *rest: float) -> None:
        seen.update(repr((freeze(observation), rest)).encode())
        told.update(repr([freeze(info[name]) for name in TOLD if name in info]).encode())

    note(*env.reset(seed=seed, options=with_task(env, task)))
    for _, action in zip(range(n_steps), actions(env.action_space, 3), strict=False):
        if beside is not None:
            next(beside)
        observation, *rest, info = env.step(action)
        note(observation, info, *map(float, rest))
        if rest[1] or rest[2]:
            note(*env.reset())
    return seen.hexdigest() + told.hexdigest(), seen.hexdigest()


def with_task(env: Any, task: Any) -> dict[str, Any]:
    """Return the options for a task; environments that generate data take none."""
    return {} if isinstance(env.unwrapped, DataGenEnv) else {"task": task}


def others(env: Any, tasks: Any) -> Iterator[None]:
    """Play an environment on other tasks without end, a step at a time, leaving some midway."""
    env.reset(seed=99, options=with_task(env, tasks[-1]))
    for n, action in enumerate(actions(env.action_space, 4)):
        *_, terminated, truncated, _ = env.step(action)
        if terminated or truncated or n % 50 == 49:
            env.reset(options=with_task(env, tasks[n % len(tasks)]))
        yield


def compare_copies(
    make: Any, n_tasks: int = N_TASKS, seeds: tuple[int, ...] = SEEDS, n_steps: int = N_STEPS
) -> Counter[str]:
    """Play three copies of an environment, the third used before and beside a fourth.

    The second one has the global generators seeded otherwise. Returns how many steps were played,
    how many histories were different that should not be ("copies", "interleaved") or drew from a
    global generator, and how many tasks looked the same with every seed ("seedless").
    """
    with ExitStack() as stack:
        one, two, three, four = envs = [make() for _ in range(4)]
        for env in envs:
            stack.callback(env.close)
        space, rng = one.get_wrapper_attr("task_space"), derive(7, "tasks")
        tasks = [space.default, *(space.sample(rng) for _ in range(n_tasks - 1))]
        found, beside = Counter(tasks=n_tasks), others(four, tasks)
        for i, task in enumerate(tasks):
            shown = set()
            for seed in seeds:
                expected, seen = history(one, task, seed, n_steps)
                with global_seed(seed + 1):
                    before = global_state()
                    found["copies"] += history(two, task, seed, n_steps)[0] != expected
                    found["global draws"] += global_state() != before
                history(three, tasks[i - 1], 5, 7)  # left in the middle
                found["interleaved"] += history(three, task, seed, n_steps, beside)[0] != expected
                found["steps"] += 3 * n_steps
                shown.add(seen)
            found["seedless"] += len(shown) < len(seeds)
    return found


def check_environment(env_id: str, bar: Bar, settings: dict[str, Any], **size: Any) -> None:
    found = compare_copies(MakeEnv(env_id, settings), **size)
    different = found["copies"] + found["interleaved"]
    assert (different, found["global draws"]) == (0, 0), found
    assert (found["seedless"] == found["tasks"]) is (env_id in {*PLAIN, BLUNT}), found
    bar("D4", environments=1, steps_compared=found["steps"], different=different)
    bar("D3", environments=1, drawing_globally=found["global draws"])


TEACHING = [id for id in ENVS if "DataGen" in id]
COSTLY = {"teachenv/InterventionBudget-v0", *TEACHING}
LONGER = {id for id, entry in ENVS.items() if entry.vector and "Stump" not in id}


@pytest.mark.parametrize(
    "env_id",
    [
        pytest.param(id, marks=pytest.mark.slow if id in LONGER else ())
        for id in ENVS
        if id not in COSTLY
    ],
)
def test_copies_of_an_environment_play_the_same_whatever_plays_beside(
    env_id: str, bar: Bar
) -> None:
    settings = {"noise": 0.5} if env_id == "teachenv/UnlearnableBox-v0" else {}
    check_environment(env_id, bar, settings)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", [id for id, entry in ENVS.items() if entry.vector])
def test_copies_of_the_reference_physics_play_the_same(env_id: str, bar: Bar) -> None:
    check_environment(env_id, bar, {"backend": "reference"})


@pytest.mark.slow
@pytest.mark.parametrize("env_id", sorted(COSTLY))
def test_copies_of_environments_that_teach_play_the_same(env_id: str, bar: Bar) -> None:
    """Each step trains a student, so there are fewer of them: two episodes a history."""
    small = {"n_steps": 2, "n_samples": 16, "probe_size": 2, "epochs": 1, "profile": "fresh"}
    settings = small if env_id in TEACHING else {}
    check_environment(env_id, bar, settings, n_tasks=2, seeds=(0, 1), n_steps=4)


class SharesItsHeight(Ladder):
    """All copies stand on one ladder."""

    shared = [0]  # noqa: RUF012

    def _advance(self, action: int) -> Any:
        self.shared[0] += 1
        observation, *rest = super()._advance(action)
        return observation + self.shared[0], *rest


class AlwaysTheSameWind(Ladder):
    def _start(self, level: Level, options: Any) -> Any:
        return super()._start(Level(level.task, 0), options)


BROKEN = {
    NumpyGlobal: "copies",
    PythonGlobal: "global draws",
    OwnEntropy: "copies",
    RemembersEpisodes: "interleaved",
    RemembersAbandoned: "interleaved",
    SharesItsHeight: "interleaved",
    AlwaysTheSameWind: "seedless",
}


@pytest.mark.parametrize("make", BROKEN)
def test_environments_that_do_not_follow_from_seed_and_task_are_found(make: Any, bar: Bar) -> None:
    assert compare_copies(make, n_tasks=2, n_steps=60)[BROKEN[make]] > 0
    bar("D4", f"{make.__name__} found")


# -- lanes -----------------------------------------------------------------------------------


def policy(env: Any) -> Any:
    """A fixed policy: it sees one observation at a time, so that lanes cannot matter."""
    space = env.action_space
    weights = derive(5, "policy").normal(size=(*env.observation_space.shape, 8))

    def act(observation: Any) -> Any:
        values = np.tanh(observation.astype(np.float64) @ weights)
        if isinstance(space, gym.spaces.Discrete):
            return int(values[0] > 0)
        return values[: space.shape[0]].astype(space.dtype)

    return act


def in_lanes(make: MakeEnv, n_lanes: int, n_steps: int) -> list[dict[str, Any]]:
    """Rows of the trials played out in so many lanes."""
    single = make()
    broker = Broker(teachers.make("uniform", single.get_wrapper_attr("task_space"), seed=1), seed=2)
    vector = make.vector(n_lanes)
    if vector is None:
        lanes = [partial(CurriculumWrapper, make(), broker, lane) for lane in range(n_lanes)]
        env: Any = gym.vector.SyncVectorEnv(lanes)
    else:
        env = CurriculumVector(vector, broker)
    act = policy(single)
    observations, _ = env.reset(seed=0)
    for _ in range(n_steps):
        observations, *_ = env.step(np.array([act(row) for row in observations]))
    env.close()
    rows = broker.close_round()
    check_rows(rows, broker.counts)
    return [row for row in rows if row["status"] == "ok"]


def replayed(make: MakeEnv, rows: list[dict[str, Any]], shift: int = 0) -> int:
    """How many rows a single environment does not play again as they are written."""
    env = make()
    act, different = policy(env), 0
    for row in rows:
        options = {"task": np.array(row["task"]), "level_seed": row["level_seed"] + shift}
        observation, _ = env.reset(options=options)
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, info = env.step(act(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        played = (sum(rewards), len(rewards), info["is_success"])
        different += played != (row["episode_return"], row["episode_length"], row["success"])
    env.close()
    return different


@pytest.mark.parametrize(
    "make",
    [
        MakeEnv("toy_student:toy_student/Climb-v0"),
        MakeEnv("teachenv/CartPole-v0"),
        MakeEnv("teachenv/StumpTracks-v0", {"max_episode_steps": 40}),
    ],
    ids=lambda make: make.env_id,
)
def test_what_lanes_played_can_be_played_again_one_by_one(make: MakeEnv, bar: Bar) -> None:
    played = {n: in_lanes(make, n, 960 // n) for n in (1, 3, 8)}
    ends = ("task", "level_seed", "score", "episode_return", "episode_length", "success")
    by_id: dict[int, set[str]] = defaultdict(set)
    different = 0
    for rows in played.values():
        assert len(rows) > 8
        different += replayed(make, rows)
        for row in rows:
            by_id[row["trial"]].add(repr([row[name] for name in ends]))
    different += sum(len(kinds) > 1 for kinds in by_id.values())
    assert different == 0
    assert replayed(make, played[1], shift=1) > 0  # the control
    bar("D6", trials_replayed=sum(map(len, played.values())), different=different)
