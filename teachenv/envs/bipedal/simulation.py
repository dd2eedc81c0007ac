"""One episode of a body on a terrain, simulated by Box2D."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from Box2D import (
    b2ContactListener,
    b2EdgeShape,
    b2FixtureDef,
    b2PolygonShape,
    b2RevoluteJointDef,
    b2World,
)
from numpy.typing import NDArray

from teachenv.envs.bipedal.bodies import FPS, Body, Part
from teachenv.envs.bipedal.lidar import Lidar
from teachenv.envs.bipedal.terrain import GROUND_Y, SCALE, SPAWN_X, Terrain

VELOCITY_ITERATIONS, POSITION_ITERATIONS = 180, 60
TERRAIN_FRICTION = 2.5
BODY_CATEGORY, TERRAIN_CATEGORY = 0x0020, 0x0001
_VX_SCALE, _VY_SCALE = 600 / SCALE, 400 / SCALE
"""Gymnasium's viewport in metres, by which velocities are observed."""


class _Touch(b2ContactListener):  # type: ignore[misc]
    """Notes which parts touch the terrain: for each, what its last begin or end event was."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.fatal = [part.fatal for part in body.parts]
        self.touching = [0.0] * len(body.parts)
        self.fallen = False

    def BeginContact(self, contact: Any) -> None:  # noqa: N802
        part = _part_index(contact)
        self.touching[part] = 1.0
        self.fallen = self.fallen or self.fatal[part]

    def EndContact(self, contact: Any) -> None:  # noqa: N802
        self.touching[_part_index(contact)] = 0.0

    def PreSolve(self, contact: Any, old_manifold: Any) -> None:  # noqa: N802
        """Do nothing, faster than the inherited method."""

    def PostSolve(self, contact: Any, impulse: Any) -> None:  # noqa: N802
        """Do nothing, faster than the inherited method."""


def _part_index(contact: Any) -> int:
    """Return the part of a contact; the other side is always terrain, which has no index."""
    part = contact.fixtureB.userData
    return int(contact.fixtureA.userData if part is None else part)


class Simulation:
    """A fresh world; what happens in it depends on the arguments and the actions only.

    Args:
        body: The embodiment.
        terrain: A valid terrain.
        push: Horizontal force on the trunk during the first step, in newtons.

    Attributes:
        x: Horizontal position of the head, in metres.
        y: Vertical position of the head, in metres.
        angle: Angle of the head, in radians.
    """

    def __init__(self, body: Body, terrain: Terrain, push: float) -> None:
        self.terrain = terrain
        self.body = body
        self.world: Any = b2World()
        self._touch = _Touch(body)
        self.world.contactListener = self._touch
        ground, polygons = _build_terrain(self.world, terrain)
        self.lidar = Lidar(terrain, ground, polygons)
        self.parts, joints = _build_body(self.world, body)
        for index in body.pushed:
            self.parts[index].ApplyForceToCenter((push, 0.0), True)
        self._head = self.parts[body.head]
        self._motors = [
            (joint, spec.speed, spec.observed_offset, spec.child)
            for joint, spec in zip(joints, body.joints, strict=True)
            if spec.speed > 0.0
        ]
        self._senses = [part.senses_contact for part in body.parts]
        self._alive = [0.0 if part.dead_flag else 1.0 for part in body.parts]
        self.x: float = self._head.position.x
        self.y: float = self._head.position.y
        self.angle = 0.0

    @property
    def fallen(self) -> bool:
        """Whether a fatal part has touched the terrain."""
        return self._touch.fallen

    def step(self, actions: Sequence[float]) -> NDArray[np.float32]:
        """Advance by 1/50 s.

        Args:
            actions: One number per motor; the sign gives the direction, the magnitude (clipped
                at 1) the share of the largest torque.

        Returns:
            Observation, float32 of shape ``(n,)``.
        """
        torque = self.body.torque
        for (joint, speed, _, _), action in zip(self._motors, actions, strict=True):
            if action > 0.0:
                joint.motorSpeed = speed
                joint.maxMotorTorque = torque * action if action < 1.0 else torque
            elif action < 0.0:
                joint.motorSpeed = -speed
                joint.maxMotorTorque = -torque * action if action > -1.0 else torque
            else:
                joint.motorSpeed = joint.maxMotorTorque = 0.0
        self.world.Step(1.0 / FPS, VELOCITY_ITERATIONS, POSITION_ITERATIONS)
        return self._observe()

    def _observe(self) -> NDArray[np.float32]:
        head = self._head
        position, velocity = head.position, head.linearVelocity
        self.x, self.y = x, y = position.x, position.y
        self.angle = angle = head.angle
        values = [
            angle,
            2.0 * head.angularVelocity / FPS,
            0.3 * velocity.x * _VX_SCALE / FPS,
            0.3 * velocity.y * _VY_SCALE / FPS,
        ]
        touching, senses, alive = self._touch.touching, self._senses, self._alive
        for joint, speed, offset, child in self._motors:
            values.append(joint.angle + offset)
            values.append(joint.speed / speed)
            if senses[child]:
                values.append(touching[child] * alive[child])
        values += self.lidar.scan(x, y)
        return np.array(values, dtype=np.float32)


def _build_terrain(world: Any, terrain: Terrain) -> tuple[list[Any], list[Any]]:
    """Create the terrain on one static body; return the fixtures of edges and polygons.

    The engine's contact order, hence every bit of the physics, depends on the order of creation.
    """
    body = world.CreateStaticBody()
    friction, category = TERRAIN_FRICTION, TERRAIN_CATEGORY
    shape = b2PolygonShape()
    definition = _definition(shape, friction=friction, categoryBits=category)
    polygons, edges = [], []
    for polygon in terrain.polygons:
        shape.vertices = polygon.tolist()
        polygons.append(body.CreateFixture(definition))
    edge = b2EdgeShape()
    definition = _definition(edge, friction=friction, categoryBits=category)
    points = [tuple(point) for point in terrain.ground.tolist()]
    for ends in pairwise(points):
        edge.vertices = ends
        edges.append(body.CreateFixture(definition))
    return edges, polygons


def _definition(shape: Any, **properties: float) -> Any:
    """Return a fixture definition, to be used while the caller holds ``shape``."""
    definition = b2FixtureDef(shape=shape, **properties)
    shape.thisown = True  # the definition has taken the shape over, but never frees it
    return definition


def _build_body(world: Any, body: Body) -> tuple[list[Any], list[Any]]:
    spawn_y = GROUND_Y + body.spawn_height
    parts = []
    for index, part in enumerate(body.parts):
        created = world.CreateDynamicBody(
            position=(SPAWN_X + part.spawn[0], spawn_y + part.spawn[1]), angle=part.angle
        )
        _add_fixture(created, part).userData = index
        parts.append(created)
    joints = [
        world.CreateJoint(
            b2RevoluteJointDef(
                bodyA=parts[joint.parent],
                bodyB=parts[joint.child],
                localAnchorA=joint.parent_anchor,
                localAnchorB=joint.child_anchor,
                enableMotor=joint.speed > 0.0,
                enableLimit=True,
                lowerAngle=joint.lower,
                upperAngle=joint.upper,
            )
        )
        for joint in body.joints
    ]
    return parts, joints


def _add_fixture(body: Any, part: Part) -> Any:
    if part.half_size is None:
        shape = b2PolygonShape(vertices=part.outline)
    else:
        shape = b2PolygonShape(box=part.half_size)
    definition = _definition(
        shape,
        density=part.density,
        friction=part.friction,
        restitution=0.0,
        categoryBits=BODY_CATEGORY,
        maskBits=TERRAIN_CATEGORY,
    )
    return body.CreateFixture(definition)
