"""What a body is made of.

Lengths in metres, angles in radians, densities in kg/m^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from teachenv.envs.bipedal.terrain import SCALE

FPS = 50
"""Steps per second: how often motors are commanded and sensors read."""

Point = tuple[float, float]

HIP_SPEED, KNEE_SPEED, HAND_SPEED = 4.0, 6.0, 8.0
HIP_LIMITS, KNEE_LIMITS = (-0.8, 1.1), (-1.6, -0.1)
KNEE_OFFSET = 1.0
TORQUE_PENALTY = 0.00035
"""Of teachDeepRL and TeachMyAgent, to be multiplied by a torque."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rigid part.

    Attributes:
        name: What it is.
        density: Mass per area.
        friction: Friction coefficient; the engine takes the geometric mean of two surfaces.
        outline: Vertices of a convex polygon around the part's origin, or
        half_size: half width and half height of a rectangle.
        spawn: Where the origin starts, relative to the spawn point.
        angle: Angle at the start.
        fatal: Whether touching the terrain ends the episode.
        senses_contact: Whether touching the terrain is observed.
        dead_flag: Whether what is observed of it is always 0.
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
    dead_flag: bool = False
    side: int = 0

    @property
    def corners(self) -> tuple[Point, ...]:
        """Vertices around the part's origin, whichever way its shape is given."""
        if self.half_size is None:
            return self.outline
        x, y = self.half_size
        return ((-x, -y), (x, -y), (x, y), (-x, y))

    def on_spawn(self, point: Point) -> Point:
        """Return where a point of the part starts, relative to the spawn point."""
        s, c = math.sin(self.angle), math.cos(self.angle)
        x, y = point
        return self.spawn[0] + c * x - s * y, self.spawn[1] + s * x + c * y


@dataclass(frozen=True, slots=True)
class Joint:
    """A revolute joint.

    Attributes:
        parent, child: Indices of the parts it links.
        parent_anchor, child_anchor: Its place in the coordinates of both parts.
        lower, upper: Limits of the angle, which is 0 at the start.
        speed: Speed of the motor, rad/s; 0 for a joint that has none, and is neither commanded
            nor observed.
        observed_offset: Added to the angle in the observation.
    """

    parent: int
    child: int
    parent_anchor: Point
    child_anchor: Point
    lower: float
    upper: float
    speed: float = 0.0
    observed_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Body:
    """An embodiment.

    Attributes:
        parts: Parts, in the order in which the engine creates them.
        joints: Joints, in the order in which the engine creates them, once their parts exist;
            their motors have the order of the actions.
        torque: Largest motor torque, N m.
        torque_penalty: Reward lost per step and unit of action.
        spawn_height: Height of the spawn point above flat ground.
        head: Index of the part whose motion is observed and rewarded, and that carries the lidar.
        pushed: Indices of the parts on which the push of the first step acts.
        tilt_penalty: Reward lost per radian by which the head is tilted.
        eye: Where the eye is drawn on the head.
        wild: Whether it may turn over and its joints spin fast, which takes wide bounds of the
            observations.
    """

    parts: tuple[Part, ...]
    joints: tuple[Joint, ...]
    torque: float
    torque_penalty: float
    spawn_height: float
    head: int = 0
    pushed: tuple[int, ...] = (0,)
    tilt_penalty: float = 5.0
    eye: Point = (0.55, 0.08)
    wild: bool = False

    @property
    def motors(self) -> tuple[Joint, ...]:
        """The joints that have a motor, in the order of the actions."""
        return tuple(joint for joint in self.joints if joint.speed > 0.0)


def scaled(*pixels: tuple[float, float]) -> tuple[Point, ...]:
    """Return points given in pixels of 1/30 m, in metres."""
    return tuple((x / SCALE, y / SCALE) for x, y in pixels)


def square_trunk(name: str, spawn: Point = (0.0, 0.0), *, fatal: bool = True) -> Part:
    """Return TeachMyAgent's square trunk of 20 pixels."""
    outline = scaled((-10, 10), (10, 10), (10, -10), (-10, -10))
    return Part(name, density=5.0, friction=0.1, outline=outline, spawn=spawn, fatal=fatal)
