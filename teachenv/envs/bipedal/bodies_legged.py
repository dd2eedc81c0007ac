"""Walkers on two-part legs: Gymnasium's, teachDeepRL's, and TeachMyAgent's of their measures."""

from __future__ import annotations

from dataclasses import dataclass

from teachenv.envs.bipedal.body_assembly import Assembly, Segment
from teachenv.envs.bipedal.body_parts import (
    HIP_LIMITS,
    HIP_SPEED,
    KNEE_LIMITS,
    KNEE_OFFSET,
    KNEE_SPEED,
    TORQUE_PENALTY,
    Body,
    Joint,
    Part,
    Point,
    scaled,
)
from teachenv.envs.bipedal.terrain import SCALE

_HULL = scaled((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8))
_LONG_HULL = scaled((-46, 13), (6, 13), (50, 5), (50, -12), (-46, -12))


@dataclass(frozen=True, slots=True)
class Measures:
    """What tells the walkers apart.

    Attributes:
        hull: Outline of the hull.
        leg_width, leg_height: Size of an upper leg; lower legs are 0.8 as wide.
        torque: Largest motor torque.
        pairs: Pairs of legs, from the rear to the front.
        eye: Where the eye is drawn on the hull.
    """

    hull: tuple[Point, ...]
    leg_width: float
    leg_height: float
    torque: float
    pairs: int
    eye: Point


MEASURES = {
    "short": Measures(_HULL, 8 / SCALE, 17 / SCALE, 80.0, 1, (0.55, 0.08)),
    "default": Measures(_HULL, 8 / SCALE, 34 / SCALE, 80.0, 1, (0.55, 0.08)),
    "quadruped": Measures(_LONG_HULL, 10 / SCALE, 51 / SCALE, 300.0, 2, (1.1, 0.12)),
}


def bent(size: str, *, dead_flags: bool = False) -> Body:
    """Return a walker as Gymnasium and teachDeepRL make it.

    Hips are anchored at the bottom of the hull, but the legs start 0.53 m away and tilted by 0.05
    rad; the first step snaps them in. The quadruped's legs start at x = -1.6 and 1.36 m and snap to
    -1.2 and 0.85 m. Its torque penalty is an eighth of the others', as in teachDeepRL.

    Args:
        size: One of ``MEASURES``.
        dead_flags: Whether the contact flags of the front legs stay 0, as they do in teachDeepRL.
    """
    measures = MEASURES[size]
    width, height, hip_y = measures.leg_width, measures.leg_height, -8 / SCALE
    hull = Part("hull", density=5.0, friction=0.1, outline=measures.hull, fatal=True)
    parts, joints = [hull], []
    top, bottom = (0.0, height / 2), (0.0, -height / 2)
    pairs = ((0.0, 0.0),) if measures.pairs == 1 else ((-1.6, -1.2), (1.36, 0.85))
    for pair, (spawn_x, hip_x) in enumerate(pairs):
        for side in (-1, 1):
            upper, lower = len(parts), len(parts) + 1
            parts += [
                Part(
                    "upper leg",
                    density=1.0,
                    half_size=(width / 2, height / 2),
                    spawn=(spawn_x, -height / 2 - hip_y),
                    angle=0.05 * side,
                    side=side,
                ),
                Part(
                    "lower leg",
                    density=1.0,
                    half_size=(0.8 * width / 2, height / 2),
                    spawn=(spawn_x, -height * 3 / 2 - hip_y),
                    angle=0.05 * side,
                    senses_contact=True,
                    dead_flag=dead_flags and pair == 1,
                    side=side,
                ),
            ]
            joints += [
                Joint(0, upper, (hip_x, hip_y), top, *HIP_LIMITS, HIP_SPEED),
                Joint(upper, lower, bottom, top, *KNEE_LIMITS, KNEE_SPEED, KNEE_OFFSET),
            ]
    penalty = TORQUE_PENALTY if measures.pairs == 1 else TORQUE_PENALTY / 8
    return Body(
        tuple(parts),
        tuple(joints),
        measures.torque,
        penalty * measures.torque,
        2 * height,
        eye=measures.eye,
    )


def straight(size: str) -> Body:
    """Return a walker as TeachMyAgent makes it: straight legs, hips 0.1 m below the hull's origin.

    The torque penalty is 0.00035 / pairs of legs * 80, whatever the torque. The quadruped's hips
    are at x = -1.12 and 0.8 m.

    Args:
        size: One of ``MEASURES``.
    """
    measures = MEASURES[size]
    width, height, hip_y = measures.leg_width, measures.leg_height, -3 / SCALE
    body = Assembly(Part("hull", density=5.0, friction=0.1, outline=measures.hull, fatal=True))
    for hip_x in (0.0,) if measures.pairs == 1 else (-0.7 * 1.6, 0.5 * 1.6):
        for side in (-1, 1):
            body.add_leg(0, (hip_x, hip_y), two_part_leg(width, height), side)
    return body.finish(
        torque=measures.torque,
        torque_penalty=80.0 * TORQUE_PENALTY / measures.pairs,
        spawn_height=2 * height - hip_y,
        eye=measures.eye,
    )


def two_part_leg(width: float, height: float, angle: float = 0.0) -> tuple[Segment, Segment]:
    """Return upper and lower leg of TeachMyAgent's bodies.

    Args:
        width: Of the upper leg, in metres; the lower one is 0.8 as wide.
        height: Of each.
        angle: Of both parts.
    """
    return (
        Segment("upper leg", width, height, HIP_LIMITS, HIP_SPEED, angle),
        Segment(
            "lower leg",
            0.8 * width,
            height,
            KNEE_LIMITS,
            KNEE_SPEED,
            angle,
            senses_contact=True,
            observed_offset=KNEE_OFFSET,
        ),
    )
