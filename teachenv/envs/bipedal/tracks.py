"""What the walkers play on: the tracks that both backends and all views share.

A new track is a function here, a generator in a module ``terrain_*`` and its twin in ``native/``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from teachenv.env import MAX_LEVEL_SEED, Level
from teachenv.envs.bipedal.draws import bits_at
from teachenv.envs.bipedal.terrain import Start
from teachenv.envs.bipedal.terrain_course import obstacle_course
from teachenv.envs.bipedal.terrain_hexagons import hexagon_tracks
from teachenv.envs.bipedal.terrain_stock import stock
from teachenv.envs.bipedal.terrain_stumps import stump_sequences, stump_tracks
from teachenv.errors import one_of
from teachenv.space import Dim, TaskError, TaskSpace

RETURN_RANGE = (-150.0, 350.0)
MASTERY = 230.0

LEVEL_STREAM = 2
"""Stream of an environment's seed from which the level seeds of its episodes come."""


@dataclass(frozen=True)
class Track:
    """A family of levels.

    Attributes:
        kind: Which generator makes the levels, on both backends.
        task_space: The tasks: parameters of the generator, by name.
        harder: See :class:`teachenv.env.TaskEnv`.
        generate: Makes terrain and push from a level seed and the parameters, by name.
        fixed: Parameters of the generator that are no part of the task.
        seeds_are_levels: Whether ``reset(seed=s)`` plays level seed ``s`` itself.
        inert: See :class:`teachenv.env.TaskEnv`.
    """

    kind: str
    task_space: TaskSpace
    harder: Mapping[str, int]
    generate: Callable[..., Start]
    fixed: Mapping[str, float] = field(default_factory=dict)
    seeds_are_levels: bool = False
    inert: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """How the native engine calls it: the kind, then what differs from the kind's defaults.

        These are the names of the task, where they include parameters with a default, and the
        values of fixed parameters.
        """
        parameters = inspect.signature(self.generate).parameters
        optional = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
        names = self.task_space.names
        given = [f"{n}={v!r}" for n, v in self.fixed.items() if optional.get(n) != v]
        return " ".join([self.kind, *(names if optional.keys() & set(names) else ()), *given])

    def start(self, level: Level) -> Start:
        """Return terrain and push of a level."""
        task = zip(self.task_space.names, level.task.tolist(), strict=True)
        return self.generate(level.level_seed, **dict(task), **self.fixed)

    def level_seeds(
        self, seeds: NDArray[np.uint64], episodes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the level seeds of episodes for which none is given.

        Args:
            seeds: Seeds of the environments, shape ``(n,)``.
            episodes: How many episodes each has begun since it was seeded, shape ``(n,)``.

        Returns:
            Level seeds, the same for the same seed and number of episodes, shape ``(n,)``;
            drawn ones are below 2**32.
        """
        drawn = (bits_at(seeds, LEVEL_STREAM, episodes) >> np.uint64(32)).astype(np.int64)
        if not self.seeds_are_levels:
            return drawn
        own = (episodes == 0) & (seeds < MAX_LEVEL_SEED)
        return np.where(own, seeds.astype(np.int64), drawn)


def options_of(make_track: Callable[..., Track]) -> dict[str, Any]:
    """Return the options of a function that makes tracks, with their defaults."""
    return {name: p.default for name, p in inspect.signature(make_track).parameters.items()}


# -- stock ---------------------------------------------------------------------------------


def walker_track(hardcore: bool = False) -> Track:
    """Return Gymnasium's BipedalWalker; see :class:`teachenv.envs.bipedal.environments.Walker`."""
    course = Dim(
        "course",
        default=float(hardcore),
        meaning="grass only, or with stumps, stairs and pits",
        kind="choice",
        choices=("easy", "hardcore"),
    )
    harder = MappingProxyType({"course": 1})
    return Track("stock", TaskSpace([course]), harder, _stock, seeds_are_levels=True)


def _stock(level_seed: int, course: float) -> Start:
    return stock(seeding.np_random(level_seed)[0], hardcore=bool(course))


STOCK, HARDCORE = walker_track(), walker_track(hardcore=True)

# -- stumps --------------------------------------------------------------------------------

_Size = float | Sequence[float]
"""A fixed number, or the bounds of a dimension of the task space."""


def stump_track(
    height: _Size = (0.0, 3.0),
    spacing: _Size = (0.0, 6.0),
    width: _Size = 1.0,
    rotation: _Size = 0.0,
    width_noise: float = 0.0,
    rotation_noise: float = 0.0,
    legacy_ground_end: bool = False,
) -> Track:
    """Return stump tracks; see :class:`teachenv.envs.bipedal.environments.StumpTracks`."""
    fixed: dict[str, float] = {}
    dims = []
    for name, given, limits, easiest, unit, meaning in (
        ("stump_height", height, None, 0.0, "terrain steps", "mean height of the stumps"),
        ("stump_spacing", spacing, (0.0, np.inf), np.inf, "m", "free ground between two stumps"),
        ("stump_width", width, (0.0, np.inf), 1.0, "terrain steps", "mean width of the stumps"),
        ("stump_rotation", rotation, (0.0, 2 * np.pi), 0.0, "rad", "mean rotation of the stumps"),
    ):
        bounds = _read_size(name, given)
        if limits is not None and not (limits[0] <= min(bounds) and max(bounds) <= limits[1]):
            raise TaskError(f"{name}: expected numbers in {list(limits)}, got {given!r:.80}")
        if len(bounds) == 1:
            fixed[name] = bounds[0]
        else:
            low, high = bounds
            default = min(max(easiest, low), high)
            dims.append(Dim(name, low, high, default, unit, meaning))
    if not dims:
        raise TaskError("height, spacing, width, rotation: expected at least one pair (low, high)")
    fixed["width_noise"] = _read_noise("width_noise", width_noise)
    fixed["rotation_noise"] = _read_noise("rotation_noise", rotation_noise)
    fixed["legacy_ground_end"] = float(legacy_ground_end)
    space = TaskSpace(dims)
    harder = {"stump_height": 1, "stump_spacing": -1}
    known = {name: sign for name, sign in harder.items() if name in space.names}
    return Track("stump_tracks", space, MappingProxyType(known), stump_tracks, fixed)


def _read_size(name: str, given: object) -> tuple[float, ...]:
    values: list[Any] = list(given) if isinstance(given, list | tuple | np.ndarray) else [given]
    try:
        if any(isinstance(value, bool | str) for value in values):
            raise TypeError
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, 2) or not np.isfinite(numbers).all():
        raise TaskError(f"{name}: expected a number or a pair (low, high), got {given!r:.80}")
    return numbers


def _read_noise(name: str, given: object) -> float:
    (*noise,) = _read_size(name, given)
    if len(noise) != 1 or noise[0] < 0.0:
        raise TaskError(f"{name}: expected a standard deviation of at least 0, got {given!r:.80}")
    return noise[0]


STUMP_TRACKS = stump_track()
N_STUMPS = 5
"""Number of stumps of a sequence."""


def sequence_track(legacy_ground_end: bool = False) -> Track:
    """Return stump sequences; see :class:`teachenv.envs.bipedal.environments.StumpSequences`."""
    dims = []
    for i in range(1, N_STUMPS + 1):
        which = f"of stump {i} of every sequence"
        height, width = f"stump{i}_height", f"stump{i}_width"
        dims.append(Dim(height, 0.0, 6.0, 0.0, "terrain steps", f"mean height {which}"))
        dims.append(Dim(width, 0.0, 6.0, 0.0, "m", f"mean width {which}"))
    harder = MappingProxyType({dim.name: 1 for dim in dims[::2]})
    fixed = {"legacy_ground_end": float(legacy_ground_end)}
    return Track("stump_sequences", TaskSpace(dims), harder, _sequences, fixed)


def _sequences(level_seed: int, legacy_ground_end: float = 0.0, **task: float) -> Start:
    sizes = list(task.values())
    return stump_sequences(
        level_seed, list(zip(sizes[::2], sizes[1::2], strict=True)), legacy_ground_end
    )


# -- hexagons ------------------------------------------------------------------------------


def hexagon_track() -> Track:
    """Return hexagon tracks; see :class:`teachenv.envs.bipedal.environments.HexagonTracks`."""
    dims = []
    for i in range(1, 7):
        right = f"how far vertex {i} lies to the right of its place"
        up = f"how far vertex {i} lies above its place" if 1 < i < 6 else "nothing"
        dims.append(Dim(f"vertex{i}_dx", 0.0, 4.0, 0.0, "terrain steps", right))
        dims.append(Dim(f"vertex{i}_dy", 0.0, 4.0, 0.0, "terrain steps", up))
    harder = MappingProxyType({f"vertex{i}_dy": 1 for i in range(2, 6)})
    inert = frozenset({"vertex1_dy", "vertex6_dy"})
    return Track("hexagon_tracks", TaskSpace(dims), harder, _hexagons, inert=inert)


def _hexagons(level_seed: int, **task: float) -> Start:
    return hexagon_tracks(level_seed, list(task.values()))


# -- obstacle courses ----------------------------------------------------------------------

_STEPS, _ONE, _OTHER = "terrain steps", "one end of the range of", "the other end of the range of"
_COURSE = (
    Dim("roughness", 0.0, 10.0, 0.0, "", "unevenness of the grass", edit=(0.0, 0.6)),
    Dim("pit_gap_a", 0.0, 10.0, 0.0, _STEPS, f"{_ONE} pits' widths", edit=(0.4, 0.4)),
    Dim("pit_gap_b", 0.0, 10.0, 0.8, _STEPS, f"{_OTHER} pits' widths", edit=(0.4, 0.4)),
    Dim("stump_height_a", 0.0, 5.0, 0.0, _STEPS, f"{_ONE} stumps' heights", edit=(0.2, 0.2)),
    Dim("stump_height_b", 0.0, 5.0, 0.4, _STEPS, f"{_OTHER} stumps' heights", edit=(0.2, 0.2)),
    Dim("stair_height_a", 0.0, 5.0, 0.0, _STEPS, f"{_ONE} steps' heights", edit=(0.2, 0.2)),
    Dim("stair_height_b", 0.0, 5.0, 0.4, _STEPS, f"{_OTHER} steps' heights", edit=(0.2, 0.2)),
    Dim("stair_steps", 1, 9, 1, "", "most steps of stairs", kind="int", edit=(1, 1)),
)
_EASY = (0.6, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 1.0)
"""Upper bounds of the subspace "easy"."""

SUBSPACES = ("full", "easy")


def course_track(
    subspace: str = "full", stairs: bool = True, stair_steps_exclusive: bool = False
) -> Track:
    """Return obstacle courses; see :class:`teachenv.envs.bipedal.environments.ObstacleCourse`."""
    dims: Sequence[Dim] = _COURSE
    if one_of("subspace", subspace, SUBSPACES) == "easy":
        dims = [replace(dim, high=high) for dim, high in zip(dims, _EASY, strict=True)]
    dims = [dim for dim in dims if stairs or not dim.name.startswith("stair")]
    harder = MappingProxyType({dim.name: 1 for dim in dims})
    fixed = {"stair_steps_exclusive": float(stair_steps_exclusive)}
    return Track("obstacle_course", TaskSpace(dims), harder, obstacle_course, fixed)
