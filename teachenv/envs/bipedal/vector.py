"""Many walkers on the native engine, as one Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from teachenv.envs.bipedal.bodies import BODIES, FPS
from teachenv.envs.bipedal.engine import EngineBatch, choose_backend
from teachenv.envs.bipedal.lane_options import read_orders
from teachenv.envs.bipedal.lane_play import Infos, LanePlay
from teachenv.envs.bipedal.lanes import Lanes
from teachenv.envs.bipedal.render import Painter
from teachenv.envs.bipedal.tracks import MASTERY, RETURN_RANGE, Track
from teachenv.envs.bipedal.turn import Turn, closed
from teachenv.envs.bipedal.walkers import action_space, observation_space
from teachenv.errors import UserError, one_of
from teachenv.protocols import State

Floats = NDArray[np.float32]
Rewards = NDArray[np.float64]
Flags = NDArray[np.bool_]
Batch = VectorEnv[Floats, Floats, NDArray[Any]]


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

    _open: LanePlay | None  # None once closed, whatever other threads are doing
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
        if max_episode_steps is not None:
            max_episode_steps = _positive("max_episode_steps", max_episode_steps)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.track, self.task_space, self.harder = track, track.task_space, track.harder
        self.body_name, self.body = body, BODIES[one_of("body", body, BODIES)]
        self.copy = copy
        self.render_mode = render_mode
        self.single_action_space = action_space(self.body)
        self.single_observation_space = observation_space(self.body)
        self.action_space = batch_space(self.single_action_space, n)
        self.observation_space = batch_space(self.single_observation_space, n)
        batch = EngineBatch(self.body, track, n, _positive("num_threads", num_threads), isa)
        self.isa = batch.isa
        self._open = LanePlay(Lanes(n, track), batch, max_episode_steps)

    @property
    def autoreset_mode(self) -> AutoresetMode:
        """When lanes begin their next episode; may be changed between calls."""
        mode: AutoresetMode = self.metadata["autoreset_mode"]
        return mode

    @autoreset_mode.setter
    def autoreset_mode(self, mode: AutoresetMode) -> None:
        self.metadata["autoreset_mode"] = mode

    @property
    def _play(self) -> LanePlay:
        if self._open is None:
            raise closed()
        return self._open

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
            infos = self._play.reset(orders)
            return self._returned(self._play.batch.observations), infos

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
            infos = self._play.step(actions, self.autoreset_mode)
            batch = self._play.batch
            return (
                self._returned(batch.observations),
                self._returned(batch.rewards),
                self._returned(batch.terminated),
                self._returned(self._play.truncated),
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
            self._play.lanes.set_next(lane, task, level_seed)

    def truncate(self, lane: int) -> None:
        """End a lane's episode from outside: its next step begins the next one.

        Raises:
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._play.lanes.truncate(lane)

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
        self._play.lanes.require_started([lane])
        picture: NDArray[np.uint8] = self._painter.paint(self._play.batch.scene(lane))
        return picture

    def get_state(self, lane: int) -> State:
        """Return everything that a lane's future depends on, as JSON values and arrays.

        Raises:
            ResetNeeded: if the lane has not been reset.
            IndexError: if there is no such lane.
        """
        with self._turn:
            return {"kind": self._kind, **self._play.get_state(lane)}

    def set_state(self, lane: int, state: State) -> None:
        """Put a lane where :meth:`get_state` left one, of this or another environment.

        Raises:
            ValueError: if the state is damaged or of another kind of environment; the lane is
                unchanged.
            IndexError: if there is no such lane.
        """
        with self._turn:
            self._play.lanes.require(lane)
            if state.get("kind") != self._kind:
                raise ValueError(f"state: expected kind {self._kind!r}, got {state.get('kind')!r}")
            self._play.set_state(lane, state)

    @property
    def _kind(self) -> str:
        return f"{self.track.name}, {self.body_name}"

    def close_extras(self, **kwargs: Any) -> None:
        """Free the engine; every later call raises ``ClosedEnvironmentError``."""
        self._turn.closed = True
        self._open = None  # frees the engine, as soon as no call is in it
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    def _returned(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self.copy else array


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UserError(f"{name}: expected a whole number of at least 1, got {value!r}")
    return int(value)
