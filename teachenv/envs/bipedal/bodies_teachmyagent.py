"""TeachMyAgent's walkers of other build: spider, millipede, wheel and chimpanzee.

Sizes, angles and limits are those of its code (commit 4a81acb); all parts start linked.
"""

from __future__ import annotations

import math
from dataclasses import replace

from teachenv.envs.bipedal.bodies_legged import two_part_leg
from teachenv.envs.bipedal.body_assembly import Assembly, Segment
from teachenv.envs.bipedal.body_parts import (
    HAND_SPEED,
    HIP_SPEED,
    KNEE_SPEED,
    TORQUE_PENALTY,
    Body,
    Part,
    scaled,
    square_trunk,
)
from teachenv.envs.bipedal.terrain import SCALE

_EYE = (0.12, 0.08)


def spider() -> Body:
    """Return a body with two pairs of three-part legs that go up, out and down.

    The first pair is drawn on the far side. The torque penalty is 0.00035 / 2 * 80.
    """
    width, height = 6 / SCALE, 20 / SCALE
    body = Assembly(square_trunk("body"))
    for side in (-1, 1):
        for way in (1, -1):
            body.add_leg(
                0, (-10 / SCALE * way, -4 / SCALE), _spider_leg(width, height, math.pi * way), side
            )
    return body.finish(
        torque=100.0,
        torque_penalty=80.0 * TORQUE_PENALTY / 2,
        spawn_height=height + 4 / SCALE,
        eye=_EYE,
        wild=True,
    )


def _spider_leg(width: float, height: float, half_turn: float) -> list[Segment]:
    leg = (
        Segment("upper leg", width, height, _around(0.1), HIP_SPEED, 0.25 * half_turn),
        Segment("middle leg", width, height, _around(0.15), HIP_SPEED, 0.7 * half_turn),
        Segment(
            "lower leg",
            0.8 * width,
            height,
            _around(0.2),
            KNEE_SPEED,
            0.9 * half_turn,
            senses_contact=True,
        ),
    )
    return [replace(segment, up=True) for segment in leg]


def millipede() -> Body:
    """Return four square bodies in a row, linked without motors, each with a pair of legs.

    The head is the foremost body, the push acts on all four, and no part is fatal: TeachMyAgent
    marks the head in a place where its contact listener does not look. The torque penalty is
    0.00035 / 4 * 80.
    """
    size, width, height, hip_y = 20 / SCALE, 4 / SCALE, 10 / SCALE, -3 / SCALE
    trunks = [square_trunk("body", ((i - 2) * size, 0.0), fatal=False) for i in range(4)]
    body = Assembly(trunks[0])
    indices = [0]
    for i, trunk in enumerate(trunks):
        if i > 0:
            indices.append(body.add_part(trunk))
        for side in (-1, 1):
            body.add_leg(indices[i], (0.0, hip_y), two_part_leg(width, height), side)
        if i > 0:
            place = (trunk.spawn[0] - size / 2, 0.0)
            body.link(indices[i - 1], indices[i], place, _around(0.05))
    return body.finish(
        torque=200.0,
        torque_penalty=80.0 * TORQUE_PENALTY / 4,
        spawn_height=2 * height - hip_y,
        head=indices[-1],
        pushed=tuple(indices),
        eye=_EYE,
        wild=True,
    )


def wheel() -> Body:
    """Return a square body with a two-part leg on each side: down, up, left and right.

    It may roll, so tilt costs nothing. The torque penalty is 0.00035 / 2 * 80.
    """
    edge, width, height = 10 / SCALE, 4 / SCALE, 10 / SCALE
    body = Assembly(square_trunk("body"))
    quarter = math.pi / 2
    for place, angle, up in (
        ((0.0, -edge), 0.0, False),
        ((0.0, edge), 0.0, True),
        ((-edge, 0.0), quarter, True),
        ((edge, 0.0), quarter, False),
    ):
        leg = tuple(replace(part, up=up) for part in two_part_leg(width, height, angle))
        body.add_leg(0, place, leg, 1)
    return body.finish(
        torque=500.0,
        torque_penalty=80.0 * TORQUE_PENALTY / 2,
        spawn_height=edge + 2 * height,
        tilt_penalty=0.0,
        eye=_EYE,
        wild=True,
    )


def chimpanzee() -> Body:
    """Return a head on a torso, with two legs and two arms that end in three-part hands.

    Head and torso are fatal, linked without a motor; tilt costs nothing. The torque penalty is
    0.00035 / 5 * 80.
    """
    width, height = 8 / SCALE, 28 / SCALE
    neck = 22.5 / SCALE
    head = Part(
        "head",
        density=5.0,
        friction=0.1,
        outline=scaled((-5, 10), (5, 10), (5, -10), (-5, -10)),
        spawn=(0.0, neck + 10 / SCALE + 0.2),
        fatal=True,
    )
    torso = replace(
        head,
        name="torso",
        outline=scaled((-12, 25), (12, 25), (8, -20), (-8, -20)),
        spawn=(0.0, 0.0),
    )
    body = Assembly(head)
    trunk = body.add_part(torso)
    body.link(0, trunk, (0.0, neck), _around(0.1))
    for side in (-1, 1):
        body.add_leg(trunk, (0.0, -12 / SCALE), _chimpanzee_leg(width, height), side)
    for side in (-1, 1):
        body.add_leg(trunk, (0.0, 22 / SCALE), _chimpanzee_arm(width, height), side)
    return body.finish(
        torque=100.0,
        torque_penalty=80.0 * TORQUE_PENALTY / 5,
        spawn_height=2 * height + 12 / SCALE,
        tilt_penalty=0.0,
        eye=(0.06, 0.1),
        wild=True,
    )


def _chimpanzee_leg(width: float, height: float) -> tuple[Segment, ...]:
    upper, lower = two_part_leg(width, height)
    return (
        replace(upper, limits=(-0.3 * math.pi, 0.6 * math.pi)),
        replace(lower, limits=(-0.75 * math.pi, -0.1)),
    )


def _chimpanzee_arm(width: float, height: float) -> tuple[Segment, ...]:
    limits = ((-0.4, 0.35), (-0.5, 0.0), (-0.8, 0.0))
    hand = [
        Segment(
            "hand",
            4 / SCALE,
            8 / SCALE,
            (low * math.pi, high * math.pi),
            HAND_SPEED,
            senses_contact=True,
        )
        for low, high in limits
    ]
    return (
        Segment("upper arm", width, height, (-0.5 * math.pi, 0.8 * math.pi), HIP_SPEED),
        Segment("lower arm", 0.8 * width, height, (0.0, 0.75 * math.pi), HIP_SPEED),
        *hand,
    )


def _around(share: float) -> tuple[float, float]:
    """Return symmetric limits, given as a share of pi."""
    return -share * math.pi, share * math.pi
