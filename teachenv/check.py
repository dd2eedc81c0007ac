"""``check_task_env``: plays an environment and reports where it breaks the task contract."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from teachenv.check_play import Player
from teachenv.env import Level, task_contract
from teachenv.findings import Finding
from teachenv.rollouts import Env, Episode, actions, collect, global_seed, play
from teachenv.rollouts import resume as play_on
from teachenv.seeding import derive, derive_int
from teachenv.space import Dim, Task, TaskSpace

RETURN_SLACK = 0.5
"""Share of the return range by which a return may lie outside it: the range is there for
scores, and the worst falls may share score 0, but its scale has to be right."""

SLOW_S = 0.1
"""Seconds: at that rate a million steps take more than a day."""

SHORT = 10
"""Steps of the episodes that are only there to leave traces, or to be interrupted."""


def check_task_env(
    make_env: Callable[[], Env],
    *,
    seed: int = 0,
    episodes: int = 6,
    max_steps: int = 2000,
    expert: Callable[[Any], Any] | None = None,
) -> list[Finding]:
    """Play an environment and return what is wrong with it; an empty list is a pass.

    The environment is played with random and with resting actions on tasks from all over its
    space, fresh and reused, and is given bad tasks. Codes of the findings:

    - ``contract``: ``task_space``, ``return_range`` or ``mastery`` missing or malformed
    - ``crashed``: a legal reset or step raised
    - ``task-ignored``: another task is played than the one given
    - ``no-effect``: a parameter changes nothing, and is not declared ``inert``
    - ``bounds``: a bad task is accepted, or refused with something else than ``ValueError``
    - ``old-task-lost``: a refused task changed the task or the running episode
    - ``info-task``, ``info-success``, ``info-progress``: missing or wrong in an ``info``
    - ``global-rng``: Python's or NumPy's global generator is used
    - ``not-deterministic``: task, level seed and actions (or ``reset(seed)``) do not fix the
      episode
    - ``state-leak``: they do in a fresh environment, but not in one that was played before
    - ``not-finite``, ``observation-space``: bad observations or rewards
    - ``return-range``: a return lies outside the declared range by more than half its span
    - ``time-limit``: running out of time is reported as terminated instead of truncated
    - ``endless``: an episode did not end, and no time limit is declared
    - ``not-picklable``: pickling fails, or the copy plays differently
    - ``action-accepted``: something that is no action was played (a label there is not, NaN)
    - ``slow-step``: every step takes long; a warning
    - ``mastery``: the expert does not master the default task

    Args:
        make_env: Makes a fresh environment, as users get it (time limit included).
        seed: Fixes tasks, level seeds and actions.
        episodes: Episodes played in full, at least 3; more of them find rarer faults.
        max_steps: Steps after which an episode is given up.
        expert: Maps an observation to an action and should master the default task; nobody tries
            if left out.

    Returns:
        At most one finding per code.
    """
    if episodes < 3:
        raise ValueError(f"check_task_env: expected at least 3 episodes, got {episodes}")
    check = _Check(make_env, seed, episodes, max_steps, expert)
    with global_seed(0):
        check.run()
    return list(check.findings.values())


class _Check(Player):
    def __init__(
        self,
        make_env: Callable[[], Env],
        seed: int,
        episodes: int,
        limit: int,
        expert: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(make_env, seed, limit)
        self.episodes = range(episodes)
        self.expert = expert

    def run(self) -> None:
        with self.fresh() as env:
            self._check_contract(env)
            if self.findings:
                return
            self.space, self.return_range, self.mastery = task_contract(env)
            self.time_limit = _time_limit(env)
        rng = derive(self.seed, "check")
        others = [self.space.sample(rng) for _ in self.episodes[1:]]
        self.tasks = [self.space.default, *others]
        for check in (
            self._check_episodes,
            self._check_reuse,
            self._check_delivery,
            self._check_effects,
            self._check_refusals,
            self._check_copies,
            self._check_actions,
            self._check_expert,
        ):
            try:
                check()
            except Exception as error:  # noqa: BLE001  whatever the environment raises
                what = check.__name__.removeprefix("_check_")
                self.report("crashed", f"while checking {what}: {error!r}")
        if SLOW_S < self.quickest_s < math.inf:
            message = f"even the quickest step took {self.quickest_s:.2g} s"
            self.report("slow-step", message, "warning")

    def _check_contract(self, env: Env) -> None:
        try:
            space, (low, high), mastery = task_contract(env)
            numbers = [float(low), float(high), float(mastery)]
        except (TypeError, ValueError) as error:
            return self.report("contract", str(error))
        if not isinstance(space, TaskSpace):
            self.report("contract", f"task_space: expected a TaskSpace, got {space!r:.80}")
        elif not (all(map(math.isfinite, numbers)) and low < high):
            self.report("contract", f"return_range: expected low < high, got {(low, high)}")
        elif not low <= mastery < high:
            self.report("contract", f"mastery: expected in [{low}, {high}), got {mastery}")

    # -- episodes ----------------------------------------------------------------------------

    def _check_episodes(self) -> None:
        played = []
        for k in self.episodes:
            played.append(self.play_fresh(k, 1))
            self.compare("not-deterministic", "played twice", played[k], self.play_fresh(k, 1))
            what = "Python's or NumPy's global generator reseeded"
            self.compare("global-rng", what, played[k], self.play_fresh(k, 2))
        for episode in played:
            self._check_end(episode)
        longest = max(episode.length for episode in played)
        late = [e for e in played if e.length == longest and e.steps[-1].terminated]
        if longest > 1 and len({e.task.tobytes() for e in late}) >= 3:
            self.report(
                "time-limit",
                f"{len(late)} episodes on different tasks terminated at step {longest} and none "
                "played longer; an episode out of time is truncated, not terminated",
                "error" if longest == self.time_limit else "warning",
            )

    def _check_end(self, episode: Episode) -> None:
        (low, high), value = self.return_range, episode.episode_return
        slack = RETURN_SLACK * (high - low)
        on = f"on task {episode.task.tolist()}"
        if not low - slack <= value <= high + slack and math.isfinite(value):
            self.report("return-range", f"return {value} {on} is far outside {(low, high)}")
        success = episode.steps[-1].info.get("is_success")
        expected = value > self.mastery
        if not isinstance(success, bool | np.bool_) or bool(success) != expected:
            self.report(
                "info-success",
                f"expected {expected} (return {value}, mastery {self.mastery}), got "
                f"{success!r:.80} at the end {on}",
            )
        if not episode.ended and self.time_limit is None:
            message = f"no end after {self.limit} steps {on}, and no time limit is declared"
            self.report("endless", message, "warning")

    def _check_reuse(self) -> None:
        with self.fresh() as env:
            for k in self.episodes:
                self.play(env, k + 1, limit=SHORT)  # abandoned
                used = self.play(env, k)
                what = "a fresh environment and one played before"
                self.compare("state-leak", what, self.play_fresh(k, 1), used)

    # -- tasks -------------------------------------------------------------------------------

    def _check_delivery(self) -> None:
        last, task = self.space.names[-1], self.tasks[1]
        named = {last: self.space.to_dict(task)[last]}
        cases: list[tuple[dict[str, Any] | None, Task]] = [
            ({"task": task}, task),
            (None, task),  # the current task stays
            ({"task": named}, self.space.task(named)),
        ]
        with self.fresh() as one, self.fresh() as two:
            for options, expected in cases:
                pair = [
                    collect(expected, play(env, seed=7, options=options, actions_seed=7), SHORT)
                    for env in (one, two)
                ]
                self.checked(pair[0], one)
                self.compare("not-deterministic", "reset(seed=7) in two environments", *pair)

    def _check_effects(self) -> None:
        with self.fresh() as env:
            inert = _attribute(env, "inert", frozenset[str]())
        dims = [
            (i, dim)
            for i, dim in enumerate(self.space)
            if dim.low < dim.high and dim.name not in inert
        ]
        dead = [dim.name for i, dim in dims if not self._has_effect(i, dim)]
        if dims and len(dead) == len(dims):
            self.report("task-ignored", f"no parameter changes anything: {dead}")
        elif dead:
            self.report(
                "no-effect",
                f"{dead}: lowest and highest value give the same episodes, on "
                f"{len(self.tasks)} tasks with random actions",
            )

    def _has_effect(self, i: int, dim: Dim) -> bool:
        for k, task in enumerate(self.tasks):
            with self.fresh() as one, self.fresh() as two:
                ends = task.copy(), task.copy()
                ends[0][i], ends[1][i] = dim.low, dim.high
                pair = zip(self.steps(one, k, ends[0]), self.steps(two, k, ends[1]), strict=False)
                if any(low.exact != high.exact for low, high in _first(pair, self.limit)):
                    return True
                fingerprint = _attribute(one, "fingerprint", None)
                if fingerprint is not None:
                    seed = derive_int(self.seed, "check-level", k)
                    low, high = (fingerprint(Level(self.space.task(end), seed)) for end in ends)
                    if low != high:
                        return True
        return False

    def _check_refusals(self) -> None:
        with self.fresh() as env:
            # Gymnasium's TimeLimit starts counting anew even when the reset is refused.
            n = SHORT if self.time_limit is None else min(SHORT, self.time_limit - 1)
            k = max(self.episodes, key=lambda k: self.play(env, k, limit=n).length)
            whole = self.play(env, k, limit=n)
            for bad in _bad_tasks(self.space):
                begun = self.play(env, k, limit=1)
                if not self._refused(env, bad):
                    continue
                moves = actions(env.action_space, self.seed + k, rest=k % 3 == 2)
                next(moves)
                if not begun.ended:
                    begun.steps.extend(_first(play_on(env, moves), n - 1))
                self.compare("old-task-lost", f"refused {bad!r:.80} in between", whole, begun)
                kept = env.reset()[1].get("task")
                if not (
                    {"info-task", "task-ignored"} & set(self.findings)
                    or np.array_equal(np.asarray(kept), whole.task)
                ):
                    message = f"expected {whole.task.tolist()} after refusing {bad!r:.80}"
                    self.report("old-task-lost", f"{message}, got {kept!r:.80}")

    def _refused(self, env: Env, bad: Any) -> bool:
        try:
            env.reset(options={"task": bad})
        except ValueError:
            return True
        except Exception as error:  # noqa: BLE001  whatever the environment raises
            self.report("bounds", f"task {bad!r:.80}: expected TaskError, got {error!r:.200}")
            return True
        self.report("bounds", f"task {bad!r:.80} was accepted; refuse it with TaskError")
        return False

    def _check_copies(self) -> None:
        with self.fresh() as env:
            original = self.play(env, 0)
            try:
                copied = pickle.loads(pickle.dumps(env))  # noqa: S301  made on this very line
                again = self.play(copied, 0)
            except Exception as error:  # noqa: BLE001  whatever pickling raises
                return self.report("not-picklable", f"{error!r:.300}")
            self.compare("not-picklable", "original and unpickled copy", original, again)

    # -- actions -----------------------------------------------------------------------------

    def _check_actions(self) -> None:
        for bad in _bad_actions(self):
            with self.fresh() as env:
                self.play(env, 0, limit=1)
                try:
                    _, reward, *_ = env.step(bad)
                except Exception:  # noqa: BLE001  however the environment refuses it
                    continue
            self.report(
                "action-accepted",
                f"action {bad!r:.80} of {env.action_space} was played (reward {reward}); refuse "
                "it with ValueError",
            )

    def _check_expert(self) -> None:
        if self.expert is None:
            return
        with self.fresh() as env:
            observation, _ = env.reset(seed=self.seed, options={"task": self.space.default})
            total = 0.0
            for _ in range(self.limit):
                observation, reward, terminated, truncated, _ = env.step(self.expert(observation))
                total += float(reward)
                if terminated or truncated:
                    break
        if total <= self.mastery:
            message = f"the expert's return on the default task is {total}, mastery {self.mastery}"
            self.report("mastery", message)


def _first(iterator: Iterator[Any], n: int) -> Iterator[Any]:
    return (item for _, item in zip(range(n), iterator, strict=False))


def _bad_tasks(space: TaskSpace) -> Iterator[Any]:
    """Yield tasks that every environment must refuse."""
    for dim in space:
        step = 0.01 * (dim.high - dim.low) if dim.kind == "float" else 1.0
        yield {dim.name: dim.high + step}
        yield {dim.name: dim.low - step}
        yield {dim.name: math.nan}
    vector = space.default.copy()
    yield np.append(vector, 0.0)
    vector[0] = math.nan
    yield vector.copy()
    vector[0] = math.inf
    yield vector.copy()
    yield {"no such parameter": 0.0}
    yield {space.names[0]: "no such value"}


def _bad_actions(player: Player) -> Iterator[Any]:
    """Yield what every environment must refuse to play."""
    with player.fresh() as env:
        space = env.action_space
    if isinstance(space, gym.spaces.Discrete):
        yield int(space.start) - 1
        yield int(space.start) + int(space.n)
    elif isinstance(space, gym.spaces.Box) and np.dtype(space.dtype).kind == "f":
        yield np.full(space.shape, np.nan, space.dtype)


def _attribute(env: Env, name: str, default: Any) -> Any:
    try:
        return env.get_wrapper_attr(name)
    except AttributeError:
        return default


def _time_limit(env: Env) -> int | None:
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        if isinstance(layer, gym.wrappers.TimeLimit):
            return int(layer._max_episode_steps)
        layer = layer.env
    return None
