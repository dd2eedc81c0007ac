"""Embodiments as data: parts, joints, and what is sensed. A new body is one entry of ``BODIES``.

Lengths in metres, angles in radians, densities in kg/m^2. Source: Gymnasium's BipedalWalker-v3.
"""

from __future__ import annotations

from dataclasses import dataclass

from teachenv.envs.bipedal.terrain import SCALE

FPS = 50
"""Steps per second: how often motors are commanded and sensors read."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """A rigid part.

    Attributes:
        name: Unique name in the body.
        density: Mass per area.
        friction: Friction coefficient; the engine takes the geometric mean of two surfaces.
        outline: Vertices of a convex polygon around the part's origin, or
        half_size: half width and half height of a rectangle.
        spawn: Where the origin starts, relative to the spawn point.
        angle: Angle at the start.
        fatal: Whether touching the terrain ends the episode.
        senses_contact: Whether touching the terrain is observed.
        side: -1 on the far side of the body, 1 on the near side, 0 in the middle (for drawing).
    """

    name: str
    density: float
    friction: float = 0.2
    outline: tuple[Point, ...] = ()
    half_size: Point | None = None
    spawn: Point = (0.0, 0.0)
    angle: float = 0.0
    fatal: bool = False
    senses_contact: bool = False
    side: int = 0

    @property
    def corners(self) -> tuple[Point, ...]:
        """Vertices around the part's origin, whichever way its shape is given."""
        if self.half_size is None:
            return self.outline
        x, y = self.half_size
        return ((-x, -y), (x, -y), (x, y), (-x, y))


@dataclass(frozen=True, slots=True)
class Joint:
    """A motorised revolute joint.

    Attributes:
        parent, child: Indices of the parts it links.
        parent_anchor, child_anchor: Its place in the coordinates of both parts.
        lower, upper: Limits of the angle, which is 0 at the start.
        speed: Speed of the motor, rad/s.
        start_speed: Speed the motor is set to before the first action.
        observed_offset: Added to the angle in the observation.
    """

    parent: int
    child: int
    parent_anchor: Point
    child_anchor: Point
    lower: float
    upper: float
    speed: float
    start_speed: float
    observed_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Body:
    """An embodiment; part 0 is the hull.

    Attributes:
        parts: Parts, in the order in which the engine creates them.
        joints: Joints, in the order of the actions; each is created right after its child.
        torque: Largest motor torque, N m.
        torque_penalty: Reward lost per step and unit of action.
        spawn_height: Height of the spawn point above flat ground.
    """

    parts: tuple[Part, ...]
    joints: tuple[Joint, ...]
    torque: float
    torque_penalty: float
    spawn_height: float


def _two_legged() -> Body:
    leg_width, leg_height, hip_y = 8 / SCALE, 34 / SCALE, -8 / SCALE
    outline = ((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8))
    hull = Part(
        "hull",
        density=5.0,
        friction=0.1,
        outline=tuple((x / SCALE, y / SCALE) for x, y in outline),
        fatal=True,
    )
    parts, joints = [hull], []
    for side in (-1, 1):
        upper, lower = len(parts), len(parts) + 1
        parts += [
            Part(
                f"upper leg {side:+d}",
                density=1.0,
                half_size=(leg_width / 2, leg_height / 2),
                spawn=(0.0, -leg_height / 2 - hip_y),
                angle=0.05 * side,
                side=side,
            ),
            Part(
                f"lower leg {side:+d}",
                density=1.0,
                half_size=(0.8 * leg_width / 2, leg_height / 2),
                spawn=(0.0, -leg_height * 3 / 2 - hip_y),
                angle=0.05 * side,
                senses_contact=True,
                side=side,
            ),
        ]
        top, bottom = (0.0, leg_height / 2), (0.0, -leg_height / 2)
        joints += [
            Joint(0, upper, (0.0, hip_y), top, -0.8, 1.1, 4.0, float(side)),
            Joint(upper, lower, bottom, top, -1.6, -0.1, 6.0, 1.0, observed_offset=1.0),
        ]
    return Body(tuple(parts), tuple(joints), 80.0, 0.00035 * 80.0, 2 * leg_height)


BODIES: dict[str, Body] = {"default": _two_legged()}
"""Name -> embodiment."""
