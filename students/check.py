"""Is this student one? :func:`check_student` tries the contract and reports what is broken."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachenv.broker import Broker
from teachenv.findings import Finding
from teachenv.protocols import Outcome, State, Student, Trial
from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

MakeEnv = Callable[[], gym.Env[Any, Any]]
MakeStudent = Callable[[MakeEnv, Broker, int], Student]
"""Called as ``make(make_env, broker, seed)``."""

N_STEPS = 300
"""Steps of a round of the check."""


def state_digest(state: State) -> str:
    """Return the SHA-256 of a state: names, values, dtypes, shapes and bytes of arrays.

    Raises:
        TypeError: if a leaf is neither a JSON value nor an array of numbers.
    """
    digest = hashlib.sha256()
    for path, leaf in _leaves(state, ""):
        digest.update(path.encode())
        if isinstance(leaf, np.ndarray):
            digest.update(f"{leaf.dtype.str}{leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        else:
            digest.update(json.dumps(leaf, sort_keys=True).encode())
    return digest.hexdigest()


def pendulum() -> gym.Env[Any, Any]:
    """Make the check's environment: Pendulum with its gravity as task, episodes of 40 steps."""

    def apply(env: Any, task: dict[str, Any]) -> None:
        env.g = task["gravity"]

    space = TaskSpace([Dim("gravity", 2.0, 10.0, default=10.0, unit="m/s^2")])
    return Parameterize(
        "Pendulum-v1", space, apply, return_range=(-400, 0), mastery=-50, max_episode_steps=40
    )


def check_student(make: MakeStudent, make_env: MakeEnv = pendulum) -> list[Finding]:
    """Check a student against :class:`teachenv.protocols.Student`.

    Args:
        make: Makes a student from an environment maker, a broker and a seed. Give it small
            rollouts: the check asks for rounds of ``N_STEPS`` steps.
        make_env: Makes one environment with a task space, which ends episodes within a round.

    Returns:
        What is broken, one finding per rule; empty for a student that keeps the contract.
    """
    return [
        finding
        for rule in (_check_act, _check_learn, _check_seeds, _check_resume, _check_close)
        for finding in _guarded(rule, make, make_env)
    ]


# -- the bench -----------------------------------------------------------------------------


class _Uniform:
    """A teacher that draws evenly and needs every signal the student says it provides."""

    needs: frozenset[str] = frozenset()

    def __init__(self, space: TaskSpace) -> None:
        self.space = space
        self._issued = 0

    def ask(self) -> Trial:
        self._issued += 1
        rng = np.random.default_rng(self._issued)
        return Trial(self._issued - 1, self.space.sample(rng), "uniform")

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {}

    def state_dict(self) -> State:
        return {"issued": self._issued}

    def load_state_dict(self, state: State) -> None:
        self._issued = state["issued"]


class _Counted(gym.Wrapper[Any, Any, Any, Any]):
    """Counts what is done to the environments of this process."""

    totals: ClassVar[dict[str, int]] = {}

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.totals["open"] += 1

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        self.totals["steps"] += 1
        self.totals["episodes"] += bool(result[2] or result[3])
        return result

    def close(self) -> None:
        self.totals["open"] -= 1
        super().close()  # type: ignore[no-untyped-call]


class _Bench:
    """A student with its teacher and broker."""

    def __init__(self, make: MakeStudent, make_env: MakeEnv, seed: int = 0) -> None:
        env = make_env()
        self.observations = _batch(env.observation_space)
        self.action_space = env.action_space
        self.teacher = _Uniform(env.get_wrapper_attr("task_space"))
        env.close()
        self.broker = Broker(self.teacher, seed=seed)
        self.student = make(lambda: _Counted(make_env()), self.broker, seed)
        self.teacher.needs = self.student.provides

    def learn(self, seed: int, n_steps: int = N_STEPS) -> tuple[int, list[dict[str, Any]]]:
        steps = self.student.learn(n_steps, seed=seed)
        return steps, self.broker.close_round()

    def state(self) -> State:
        return {
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "broker": self.broker.state_dict(),
        }

    def load(self, state: State) -> None:
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.broker.load_state_dict(state["broker"])


@contextmanager
def _bench(make: MakeStudent, make_env: MakeEnv, seed: int = 0) -> Iterator[_Bench]:
    _Counted.totals.update(open=0, steps=0, episodes=0)
    bench = _Bench(make, make_env, seed)
    try:
        yield bench
    finally:
        bench.student.close()


def _guarded(rule: Any, make: MakeStudent, make_env: MakeEnv) -> list[Finding]:
    try:
        return list(rule(make, make_env))
    except Exception as error:  # noqa: BLE001  a finding like any other
        return [_error("raised", f"{rule.__name__.removeprefix('_check_')}: {error!r}")]


# -- the rules -----------------------------------------------------------------------------


def _check_act(make: MakeStudent, make_env: MakeEnv) -> Iterator[Finding]:
    with _bench(make, make_env) as bench:
        bench.learn(seed=1)
        student, observations = bench.student, bench.observations
        before, generators = state_digest(student.state_dict()), _global_generators()
        actions = student.act(observations)
        if _global_generators() != generators:
            yield _error("act-global-rng", "act drew from a global random generator")
        if not np.array_equal(actions, student.act(observations)):
            yield _error("act-random", "the same observations gave two different actions")
        if state_digest(student.state_dict()) != before:
            yield _error("act-changes-state", "act changed the student's state")
        expected = bench.action_space.shape or ()
        for n in (1, len(observations)):
            shape = np.shape(student.act(observations[:n]))
            if shape != (n, *expected):
                yield _error(
                    "act-shape", f"{n} observations: expected shape {(n, *expected)}, got {shape}"
                )
                return
        outside = [a for a in actions if not bench.action_space.contains(a)]
        if outside:
            yield _error("act-outside", f"{outside[0]} is not in {bench.action_space}")


def _check_learn(make: MakeStudent, make_env: MakeEnv) -> Iterator[Finding]:
    with _bench(make, make_env) as bench:
        rollout, _ = bench.learn(seed=1, n_steps=1)
        _Counted.totals.update(steps=0, episodes=0)
        asked, start = N_STEPS + 1, bench.broker.step
        steps, rows = bench.learn(seed=2, n_steps=asked)
        played, ended = _Counted.totals["steps"], _Counted.totals["episodes"]
        if steps < asked:
            yield _error("learn-too-few", f"asked for {asked} steps, {steps} were taken")
        if steps >= asked + max(rollout, 1):
            yield _error(
                "learn-too-many", f"asked for {asked} steps in rollouts of {rollout}, took {steps}"
            )
        if played and played != steps:
            yield _error("learn-count", f"learn returned {steps}, the environments saw {played}")
        if bench.broker.step - start != steps:
            yield _error(
                "learn-advance",
                f"learn returned {steps}, the broker advanced by {bench.broker.step - start}",
            )
        told = sum(row["status"] == "ok" for row in rows)
        if played and told != ended:
            yield _error(
                "outcomes-missing",
                f"{ended} episodes ended, {told} reached a teacher that needs the signals "
                f"{sorted(bench.student.provides)}",
            )


def _check_seeds(make: MakeStudent, make_env: MakeEnv) -> Iterator[Finding]:
    digests = []
    for seed in (0, 0, 1):
        with _bench(make, make_env) as bench:
            bench.learn(seed=seed)
            digests.append(state_digest(bench.student.state_dict()))
    if digests[0] != digests[1]:
        yield _error("not-reproducible", "two students with the same seeds learned differently")
    if digests[0] == digests[2]:
        yield _error("seed-ignored", "learn gave the same result with seeds 0 and 1")


def _check_resume(make: MakeStudent, make_env: MakeEnv) -> Iterator[Finding]:
    with _bench(make, make_env) as bench:
        bench.learn(seed=1)
        bench.learn(seed=2)
        state = bench.state()
        saved = _copy(state)
        bench.learn(seed=3)
        expected, actions = bench.state(), bench.student.act(bench.observations)
        if state_digest(state) != state_digest(saved):
            yield _error("state-shared", "learning changed a state dictionary handed out before")
    with _bench(make, make_env, seed=0) as bench:
        bench.learn(seed=4)
        bench.load(saved)
        bench.learn(seed=3)
        if state_digest(bench.state()) != state_digest(expected):
            yield _error("resume-differs", "a loaded student did not learn as the saved one did")
        elif not np.array_equal(bench.student.act(bench.observations), actions):
            yield _error("resume-acts-differently", "a loaded student acts differently")


def _check_close(make: MakeStudent, make_env: MakeEnv) -> Iterator[Finding]:
    with _bench(make, make_env) as bench:
        bench.learn(seed=1)
    if _Counted.totals["open"] > 0:
        yield _error("envs-open", f"close left {_Counted.totals['open']} environments open")


# -- helpers -------------------------------------------------------------------------------


def _error(code: str, message: str) -> Finding:
    return Finding(code, "error", message)


def _batch(space: gym.Space[Any]) -> NDArray[Any]:
    space.seed(0)
    return np.stack([space.sample() for _ in range(64)])


def _global_generators() -> list[Any]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  looked at, not drawn from
    numpy_state = state["state"]
    generators: list[Any] = [random.getstate(), numpy_state["key"].tobytes(), numpy_state["pos"]]
    if "torch" in sys.modules:
        generators.append(sys.modules["torch"].get_rng_state().tolist())
    return generators


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _leaves(value[key], f"{path}/{key}")
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield path, value
    else:
        try:
            json.dumps(value)
        except TypeError:
            raise TypeError(
                f"state {path}: expected a JSON value or an array of numbers, "
                f"got {type(value).__name__}"
            ) from None
        yield path, value


def _copy(value: Any) -> Any:
    """Return what a state is after a trip through JSON and array files."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    return json.loads(json.dumps(value))
