"""Many walkers on the native engine, as one Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from teachenv.envs.bipedal.bodies import BODIES, FPS
from teachenv.envs.bipedal.engine import (
    LEAVE,
    RESTART,
    STEP,
    choose_backend,
    engine_scene,
    make_engine,
)
from teachenv.envs.bipedal.lane_options import read_actions, read_orders
from teachenv.envs.bipedal.lanes import Lanes
from teachenv.envs.bipedal.render import Painter
from teachenv.envs.bipedal.tracks import MASTERY, RETURN_RANGE, Track
from teachenv.envs.bipedal.turn import Turn
from teachenv.envs.bipedal.walkers import action_space, observation_space
from teachenv.errors import UserError, one_of
from teachenv.protocols import State
from teachenv.vector import select_lanes

Floats = NDArray[np.float32]
Rewards = NDArray[np.float64]
Flags = NDArray[np.bool_]
Infos = dict[str, Any]
Batch = VectorEnv[Floats, Floats, NDArray[Any]]

NO_LIMIT = 2**62


class BipedalVectorEnv(Batch):
    """``num_envs`` walkers ("lanes"), each in its own level; one call steps all.

    Observations, actions, rewards, ends and infos of a lane are those of
    :class:`teachenv.envs.bipedal.walkers.BipedalEnv` with ``backend="native"``, bit for bit,
    whatever the number of lanes, threads and the instruction set. Lane ``i`` of
    ``reset(seed=s)`` plays the same levels, one after the other, as a single environment after
    ``reset(seed=s + i)``.

    ``reset`` takes ``seed`` (a number, or a list with a number or ``None`` per lane) and these
    options. All are checked before anything changes; a refused one raises ``TaskError``.

    - ``task``: one task for all, or an array ``(num_envs, dim)`` or list with one per lane. A
      lane keeps its task until it is given another.
    - ``level_seed``: one for all, or one per lane. Where none is given, it follows from the seed.
    - ``terrain``: one hand-made ``Terrain`` for all, or a list with one or ``None`` per lane;
      played for one episode.
    - ``reset_mask``: bool array ``(num_envs,)``; other lanes are left alone.

    Infos are arrays over the lanes, as Gymnasium's vector environments give them: ``task``
    (float64, ``(num_envs, dim)``), ``level_seed`` (int64), ``is_success``, ``progress``, and for
    each a mask ``_task``, ... of the lanes it is given for. In ``SAME_STEP``, ``final_obs`` and
    ``final_info`` hold what the step gave for lanes that ended.

    Args:
        num_envs: Number of lanes.
        track: What they walk on.
        body: Name of the embodiment.
        max_episode_steps: Steps after which an episode is truncated; ``None`` for no limit.
        autoreset_mode: ``NEXT_STEP``: the step after an episode's end ignores its action and
            begins the next one. ``SAME_STEP``: the step that ends an episode begins the next.
            ``DISABLED``: lanes that ended must be reset with ``reset_mask``.
        num_threads: Threads that step the lanes; with more than one, a forked process cannot use
            the environment.
        copy: Whether to return copies; ``False`` returns the arrays that the next call
            overwrites.
        isa: Instruction set, "auto" for the fastest this processor has.
        render_mode: ``None`` or "rgb_array".

    Attributes:
        task_space, return_range, mastery, harder: See :class:`teachenv.env.TaskEnv`.
        backend: "native".
        isa: Instruction set in use.

    Raises:
        UserError: for an argument that makes no sense, or if the engine is not built.
    """

    return_range = RETURN_RANGE
    mastery = MASTERY
    backend = "native"

    _painter: Any = None  # a Painter, which needs pygame

    def __init__(
        self,
        num_envs: int,
        track: Track,
        *,
        body: str = "default",
        max_episode_steps: int | None = 2000,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        num_threads: int = 1,
        copy: bool = True,
        isa: str = "auto",
        render_mode: str | None = None,
    ) -> None:
        self._turn = Turn()
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": FPS}
        if render_mode is not None:
            one_of("render_mode", render_mode, self.metadata["render_modes"])
        choose_backend("native")
        self.num_envs = n = _positive("num_envs", num_envs)
        self._limit = NO_LIMIT
        if max_episode_steps is not None:
            self._limit = _positive("max_episode_steps", max_episode_steps)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.track, self.task_space, self.harder = track, track.task_space, track.harder
        self.body_name, self.body = body, BODIES[one_of("body", body, BODIES)]
        self.copy = copy
        self.render_mode = render_mode
        self.single_action_space = action_space(self.body)
        self.single_observation_space = observation_space(self.body)
        self.action_space = batch_space(self.single_action_space, n)
        self.observation_space = batch_space(self.single_observation_space, n)
        self._engine = make_engine(self.body, track, n, _positive("num_threads", num_threads), isa)
        self.isa: str = self._engine.isa
        self._lanes = Lanes(n, track)
        self._allocate()

    def _allocate(self) -> None:
        n, n_actions, n_seen = self.num_envs, len(self.body.joints), self._engine.observation_size
        self._mode = np.zeros(n, np.uint8)
        self._actions = np.zeros((n, n_actions), np.float32)
        self._observations = np.zeros((n, n_seen), np.float32)
        self._rewards = np.zeros(n)
        self._terminated = np.zeros(n, np.bool_)
        self._truncated = np.zeros(n, np.bool_)
        self._positions = np.zeros(n)
        self._scratch = np.zeros(n), np.zeros(n, np.bool_)

    @property
    def autoreset_mode(self) -> AutoresetMode:
        """When lanes begin their next episode; may be changed between calls."""
        mode: AutoresetMode = self.metadata["autoreset_mode"]
        return mode

    @autoreset_mode.setter
    def autoreset_mode(self, mode: AutoresetMode) -> None:
        self.metadata["autoreset_mode"] = mode

    # -- playing ---------------------------------------------------------------------------

    def reset(
        self, *, seed: Any = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Floats, Infos]:
        """Start an episode in every lane, or in those of the mask; see the class.

        Returns:
            Observations of all lanes, and infos of those that were reset.

        Raises:
            TaskError: if an option is refused; nothing has changed then.
            ValueError: if the seed is refused; nothing has changed then.
        """
        with self._turn:
            orders = read_orders(self.task_space, self.num_envs, seed, options)
            lanes = np.flatnonzero(orders.mask)
            self._lanes.follow(orders)
            self._lanes.begin(lanes)
            for lane, terrain in orders.terrains.items():
                push = self.track.start(self._lanes.level(lane)).push
                self._engine.set_terrain(lane, terrain.ground, list(terrain.polygons), push)
            self._restart(lanes)
            infos = self._lanes.infos(self._positions)
            if len(lanes) < self.num_envs:
                infos = select_lanes(infos, orders.mask)
            return self._returned(self._observations), infos

    def step(self, actions: ArrayLike) -> tuple[Floats, Rewards, Flags, Flags, Infos]:
        """Play one step in every lane.

        Args:
            actions: Finite numbers of shape ``(num_envs, n_joints)``; clipped to [-1, 1].

        Returns:
            Observations, rewards (float64), terminated, truncated, infos.

        Raises:
            ValueError: for a wrong shape, dtype, or a number that is not finite, naming the
                lane; nothing has moved then.
            ResetNeeded: if a lane has not been reset, or has ended and autoreset is disabled.
        """
        with self._turn:
            lanes = self._lanes
            lanes.require_started()
            if self.autoreset_mode is AutoresetMode.DISABLED:
                lanes.require_running()
            read_actions(actions, self._actions)
            self._mode.fill(STEP)
            lanes.elapsed += 1
            if lanes.ended.any():
                self._mode[lanes.ended] = RESTART
                lanes.begin(np.flatnonzero(lanes.ended))
            self._advance(self._rewards, self._terminated)
            lanes.returns += self._rewards
            np.greater_equal(lanes.elapsed, self._limit, out=self._truncated)
            np.logical_or(self._terminated, self._truncated, out=lanes.ended)
            if self.autoreset_mode is AutoresetMode.SAME_STEP and lanes.ended.any():
                infos = self._restart_ended()
            else:
                infos = self._lanes.infos(self._positions)
            return (
                self._returned(self._observations),
                self._returned(self._rewards),
                self._returned(self._terminated),
                self._returned(self._truncated),
                infos,
            )

    def set_next(self, lane: int, task: Any, level_seed: int | None = None) -> None:
        """Say what a lane plays from its next restart on, whatever causes it.

        Args:
            lane: The lane.
            task: Its task, as a vector or by name; kept for later episodes.
            level_seed: Level seed of the next episode only; drawn if left out.

        Raises:
            TaskError: for a bad task or level seed; nothing has changed then.
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._lanes.set_next(lane, task, level_seed)

    def truncate(self, lane: int) -> None:
        """End a lane's episode from outside: its next step begins the next one.

        Raises:
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._lanes.truncate(lane)

    # -- looking ---------------------------------------------------------------------------

    def render(self, lanes: Iterable[int] | None = None) -> tuple[NDArray[np.uint8], ...] | None:  # type: ignore[override]
        """Draw lanes.

        Args:
            lanes: Which; all if left out.

        Returns:
            A picture each, uint8 of shape ``(400, 600, 3)``; ``None`` without a render mode.

        Raises:
            ResetNeeded: if one of them has not been reset.
            IndexError: if there is no such lane.
        """
        if self.render_mode is None:
            return None
        with self._turn:
            if self._painter is None:
                self._painter = Painter(self.render_mode)
            return tuple(map(self._picture, range(self.num_envs) if lanes is None else lanes))

    def _picture(self, lane: int) -> NDArray[np.uint8]:
        self._lanes.require_started([lane])
        scene = engine_scene(self.body, self._engine, lane, self._observations[lane])
        picture: NDArray[np.uint8] = self._painter.paint(scene)
        return picture

    def get_state(self, lane: int) -> State:
        """Return everything that a lane's future depends on, as JSON values and arrays.

        Raises:
            ResetNeeded: if the lane has not been reset.
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._lanes.require_started([lane])
            return {
                "kind": self._kind,
                "engine": np.frombuffer(self._engine.get_state(lane), np.uint8),
                "observation": self._observations[lane].copy(),
                **self._lanes.get(lane),
            }

    def set_state(self, lane: int, state: State) -> None:
        """Put a lane where :meth:`get_state` left one, of this or another environment.

        Raises:
            ValueError: if the state is damaged or of another kind of environment; the lane is
                unchanged.
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._lanes.require(lane)
            if state.get("kind") != self._kind:
                raise ValueError(f"state: expected kind {self._kind!r}, got {state.get('kind')!r}")
            try:
                self._lanes.check(state)
                observation = np.asarray(state["observation"], np.float32)
                if observation.shape != self._observations[lane].shape:
                    raise ValueError(f"observation of shape {observation.shape}")
                self._engine.set_state(lane, np.asarray(state["engine"], np.uint8).tobytes())
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"state of lane {lane}: {error}") from None
            self._observations[lane] = observation
            self._lanes.put(lane, state)

    @property
    def _kind(self) -> str:
        return f"{self.track.name}, {self.body_name}"

    def close_extras(self, **kwargs: Any) -> None:
        """Free the engine; every later call raises ``ClosedEnvironmentError``."""
        self._turn.closed = True
        self._engine = None
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    # -- pieces ----------------------------------------------------------------------------

    def _advance(self, rewards: Rewards, terminated: Flags) -> None:
        self._engine.advance(
            self._mode,
            self._actions,
            self._lanes.tasks,
            self._lanes.level_seeds.view(np.uint64),
            self._observations,
            rewards,
            terminated,
            self._positions,
        )

    def _restart(self, lanes: NDArray[np.int64]) -> None:
        """Play the first step of episodes that have begun; other lanes do not move."""
        self._mode.fill(LEAVE)
        self._mode[lanes] = RESTART
        self._advance(*self._scratch)

    def _restart_ended(self) -> Infos:
        """Begin the next episodes of lanes that ended, in the same step; return the infos."""
        ended = self._lanes.ended.copy()
        lanes = np.flatnonzero(ended)
        final = np.full(self.num_envs, None, object)
        for lane in lanes:
            final[lane] = self._observations[lane].copy()
        final_info = select_lanes(self._lanes.infos(self._positions), ended)
        self._lanes.begin(lanes)
        self._restart(lanes)
        last = {"final_obs": final, "final_info": final_info}
        return {
            **self._lanes.infos(self._positions),
            **last,
            "_final_obs": ended,
            "_final_info": ended,
        }

    def _returned(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self.copy else array


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UserError(f"{name}: expected a whole number of at least 1, got {value!r}")
    return int(value)
