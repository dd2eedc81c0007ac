"""The walkers' environments, one class per Gymnasium id; :class:`BipedalEnv` says how they work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gymnasium.utils import EzPickle

from teachenv.envs.bipedal.tracks import (
    Track,
    course_track,
    hexagon_track,
    options_of,
    sequence_track,
    stump_track,
    walker_track,
)
from teachenv.envs.bipedal.walkers import BipedalEnv
from teachenv.errors import refuse_unknown


class Walker(BipedalEnv, EzPickle):
    """The stock terrain of Gymnasium's BipedalWalker-v3, easy or hardcore.

    ``reset(seed=s)`` plays level seed ``s``, and terrain and push are drawn from it exactly as a
    fresh Gymnasium environment draws them from ``reset(seed=s)``.

    Task space:
        ====== ==== === ==== ======= ====================================================
        name   unit low high default effect
        ====== ==== === ==== ======= ====================================================
        course      0   1    0       0 "easy": uneven grass; 1 "hardcore": stumps, stairs
                                     and pits, too (harder)
        ====== ==== === ==== ======= ====================================================

    Observation, action, reward, end:
        As all walkers: :class:`~teachenv.envs.bipedal.walkers.BipedalEnv`.

    Registered ids:
        ``teachenv/Walker-v0``, 2000 steps.

    Source:
        Gymnasium 1.2, ``BipedalWalker-v3``; its ``reference`` physics agrees bit for bit.
        Difference: 2000 steps on the easy course, too, where Gymnasium has 1600.

    Args:
        hardcore: Whether the default task is "hardcore".
        backend: "reference" (equal to Gymnasium bit for bit), "native" or "auto"; vector
            environments are native where that is built.
        render_mode: ``None``, "rgb_array" or "human".
        body: Name of the embodiment.
    """

    def __init__(
        self,
        hardcore: bool = False,
        backend: str = "reference",
        render_mode: str | None = None,
        body: str = "default",
    ) -> None:
        EzPickle.__init__(self, hardcore, backend, render_mode, body)
        super().__init__(body, walker_track(hardcore), backend, render_mode)


class TrackEnv(BipedalEnv, EzPickle):
    """An environment whose track has options; see the subclasses.

    Args:
        body: Name of the embodiment.
        backend: "auto", "native" or "reference".
        render_mode: ``None``, "rgb_array" or "human".
        **options: Those of the track.

    Raises:
        UserError: for an unknown option, or one that makes no sense.
    """

    make_track: ClassVar[Callable[..., Track]]

    def __init__(
        self,
        body: str = "default",
        backend: str = "auto",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        EzPickle.__init__(self, body, backend, render_mode, **options)
        make_track = type(self).make_track
        refuse_unknown("option", options, options_of(make_track))
        super().__init__(body, make_track(**options), backend, render_mode)


class StumpTracks(TrackEnv):
    """Flat ground with stumps of a given mean height at a given spacing.

    Task space:
        ============== ============= === ==== ======= ==========================================
        name           unit          low high default effect
        ============== ============= === ==== ======= ==========================================
        stump_height   terrain steps 0   3    0       mean height; each stump is
                                                      max(0.05, N(height, 0.1)) high (harder)
        stump_spacing  m             0   6    6       free ground between stumps, at least 0.01
                                                      (easier)
        ============== ============= === ==== ======= ==========================================

        A terrain step is 0.467 m. Options change bounds and add dimensions:

        =============== ============= ============= ============================================
        name            unit          default       effect
        =============== ============= ============= ============================================
        stump_width     terrain steps 1, or nearest mean width; each stump is
                                                    max(0.05, N(width, width_noise)) wide
        stump_rotation  rad           0, or nearest mean rotation about the middle of the base,
                                                    counter-clockwise: N(rotation,
                                                    rotation_noise), clipped to [0, 2 pi]
        =============== ============= ============= ============================================

    Observation, action, reward, end:
        As all walkers: :class:`~teachenv.envs.bipedal.walkers.BipedalEnv`.

    Registered ids:
        ``teachenv/StumpTracks-v0``, 2000 steps.

    Source:
        Portelas et al., "Teacher algorithms for curriculum learning of Deep RL in continuously
        parameterized environments" (2019), also for ``height=(0, 4)`` and ``(0, 5)``; Romac et
        al., "TeachMyAgent" (2021), for "mostly unfeasible" ``height=(0, 9)`` and "mostly trivial"
        ``height=(-3, 3)``. Differences: the ground always reaches past the finish line.

    Args:
        height: Bounds ``(low, high)`` of ``stump_height``; a number fixes it instead.
        spacing: The same for ``stump_spacing``.
        width: The same for ``stump_width``.
        rotation: The same for ``stump_rotation``.
        width_noise: Standard deviation of widths, in terrain steps.
        rotation_noise: Standard deviation of rotations, in radians.
        legacy_ground_end: Whether the ground ends where the published code ends it: for about one
            spacing in fifty, spacing 6 among them, up to 1.3 m before the finish line.
        body: Name of the embodiment.
        backend: "auto", "native" or "reference".
        render_mode: ``None``, "rgb_array" or "human".
    """

    make_track = staticmethod(stump_track)


class HexagonTracks(TrackEnv):
    """Flat ground with convex obstacles of six vertices, each of which the task moves.

    Vertex 1 to 6 start from (-0.5, 0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25) and
    (0.5, 0), in terrain steps of 0.467 m; every hexagon draws its offsets from N(offset, 0.1).
    What stands on the track is their convex hull: where vertices lie inside it, their parameters
    have no effect. A hexagon is given 1 m of ground and followed by 8 m, whatever its shape.

    Task space:
        ========== ============= === ==== ======= ==========================================
        name       unit          low high default effect
        ========== ============= === ==== ======= ==========================================
        vertex1_dx terrain steps 0   4    0       moves vertex 1 to the right
        vertex1_dy terrain steps 0   4    0       none: vertex 1 stays on the ground
        vertex2_dx terrain steps 0   4    0       moves vertex 2 to the right
        vertex2_dy terrain steps 0   4    0       moves vertex 2 up (harder)
        vertex3_dx terrain steps 0   4    0       moves vertex 3 to the right
        vertex3_dy terrain steps 0   4    0       moves vertex 3 up (harder)
        vertex4_dx terrain steps 0   4    0       moves vertex 4 to the right
        vertex4_dy terrain steps 0   4    0       moves vertex 4 up (harder)
        vertex5_dx terrain steps 0   4    0       moves vertex 5 to the right
        vertex5_dy terrain steps 0   4    0       moves vertex 5 up (harder)
        vertex6_dx terrain steps 0   4    0       moves vertex 6 to the right
        vertex6_dy terrain steps 0   4    0       none: vertex 6 stays on the ground
        ========== ============= === ==== ======= ==========================================

        The two dimensions without effect are kept: teachers must cope with them.

    Observation, action, reward, end:
        As all walkers: :class:`~teachenv.envs.bipedal.walkers.BipedalEnv`.

    Registered ids:
        ``teachenv/HexagonTracks-v0``, 2000 steps.

    Source:
        Portelas et al. (2019), as :class:`StumpTracks`. Differences: vertices within 5 mm of
        another one of the hull, or on the line between two, are left out.

    Args:
        body: Name of the embodiment.
        backend: "auto", "native" or "reference".
        render_mode: ``None``, "rgb_array" or "human".
    """

    make_track = staticmethod(hexagon_track)


class StumpSequences(TrackEnv):
    """Flat ground with groups of five stumps side by side; every group is followed by 8 m.

    Task space:
        ============= ============= === ==== ======= ==========================================
        name          unit          low high default effect
        ============= ============= === ==== ======= ==========================================
        stump1_height terrain steps 0   6    0       mean height of stump 1; each is
                                                     max(0.05, N(height, 0.1)) high (harder)
        stump1_width  m             0   6    0       mean width of stump 1; each is
                                                     max(0.05, N(width, 0.1)) wide
        stump2_height terrain steps 0   6    0       as stump1_height (harder)
        stump2_width  m             0   6    0       as stump1_width
        stump3_height terrain steps 0   6    0       as stump1_height (harder)
        stump3_width  m             0   6    0       as stump1_width
        stump4_height terrain steps 0   6    0       as stump1_height (harder)
        stump4_width  m             0   6    0       as stump1_width
        stump5_height terrain steps 0   6    0       as stump1_height (harder)
        stump5_width  m             0   6    0       as stump1_width
        ============= ============= === ==== ======= ==========================================

        A terrain step is 0.467 m; that heights and widths have different units is the source's.

    Observation, action, reward, end:
        As all walkers: :class:`~teachenv.envs.bipedal.walkers.BipedalEnv`.

    Registered ids:
        ``teachenv/StumpSequences-v0``, 2000 steps.

    Source:
        The code published with Portelas et al. (2019), as :class:`StumpTracks`, which calls it
        experimental. Differences: the ground always reaches past the finish line.

    Args:
        legacy_ground_end: Whether the ground ends where the published code ends it, which can be
            before the finish line.
        body: Name of the embodiment.
        backend: "auto", "native" or "reference".
        render_mode: ``None``, "rgb_array" or "human".
    """

    make_track = staticmethod(sequence_track)


class ObstacleCourse(TrackEnv):
    """Uneven grass, interrupted by pits, stumps and stairs whose sizes the task bounds.

    A course is 200 columns of a terrain step (0.467 m). From 9.33 m on, stretches of 5 to 9
    columns of grass take turns with obstacles. The kind of each is drawn from those the course
    has: pits if the widest may be 0.8 steps wide, stumps or stairs if the highest may be 0.2
    steps high. Its size is drawn uniformly between the two ends, in either order.

    Task space:
        ============== ============= === ==== ======= ==========================================
        name           unit          low high default effect
        ============== ============= === ==== ======= ==========================================
        roughness                    0   10   0       unevenness of the grass; 1 is Gymnasium's
                                                      (harder)
        pit_gap_a      terrain steps 0   10   0       one end of the widths of pits (harder)
        pit_gap_b      terrain steps 0   10   0.8     the other end (harder)
        stump_height_a terrain steps 0   5    0       one end of the heights of stumps, which
                                                      are a step wide (harder)
        stump_height_b terrain steps 0   5    0.4     the other end (harder)
        stair_height_a terrain steps 0   5    0       one end of the heights of the steps of
                                                      stairs, up or down (harder)
        stair_height_b terrain steps 0   5    0.4     the other end (harder)
        stair_steps                  1   9    1       stairs have 0 to this many steps, each
                                                      1.87 m long (harder)
        ============== ============= === ==== ======= ==========================================

        ``subspace="easy"`` lowers the upper bounds to 0.6, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4 and 1.
        ACCEL starts from ``roughness`` in [0, 0.6] and the defaults of the others.
        ``task_space.edit`` mutates with the published sizes: ``roughness`` by up to 0.6, pits by
        0.4, heights by 0.2, ``stair_steps`` by 1.

    Observation, action, reward, end:
        As all walkers: :class:`~teachenv.envs.bipedal.walkers.BipedalEnv`.

    Registered ids:
        ``teachenv/ObstacleCourse-v0``, 2000 steps.

    Source:
        Parker-Holder et al., "Evolving curricula with regret-based environment design" (ACCEL,
        2022), after Wang et al., "Paired Open-Ended Trailblazer (POET)" (2019), whose five
        parameters are those without stairs. Named levels of both:
        :mod:`teachenv.envs.bipedal.levels`. Differences: obstacles lower than 5 mm are left out.

    Args:
        subspace: "full" or "easy".
        stairs: Whether the task has the three parameters of stairs; without, no course has any.
        stair_steps_exclusive: Whether stairs have at most ``stair_steps - 1`` steps, as in the
            published code, where ``stair_steps=1`` means none at all.
        body: Name of the embodiment.
        backend: "auto", "native" or "reference".
        render_mode: ``None``, "rgb_array" or "human".
    """

    make_track = staticmethod(course_track)
