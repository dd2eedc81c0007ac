"""Putting bodies together part by part, each where its joint is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from teachenv.envs.bipedal.body_parts import Body, Joint, Part, Point


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a limb: a rectangle that hangs on the part before it by one end.

    Attributes:
        name: What it is.
        width, height: Size, in metres.
        limits: Least and largest angle of the joint.
        speed: Of its motor.
        angle: Of the part at the start, not relative to the part before.
        up: Whether the limb goes on in the part's own upward direction, so that the part hangs by
            its lower end, instead of downward.
        senses_contact: See :class:`Part`.
        observed_offset: See :class:`Joint`.
    """

    name: str
    width: float
    height: float
    limits: tuple[float, float]
    speed: float
    angle: float = 0.0
    up: bool = False
    senses_contact: bool = False
    observed_offset: float = 0.0


class Assembly:
    """A body under construction.

    Args:
        trunk: Its first part.
    """

    def __init__(self, trunk: Part) -> None:
        self._parts = [trunk]
        self._joints: list[Joint] = []

    def add_part(self, part: Part) -> int:
        """Add a part that no joint holds yet; return its index."""
        self._parts.append(part)
        return len(self._parts) - 1

    def link(self, parent: int, child: int, place: Point, limits: tuple[float, float]) -> None:
        """Link two parts that start upright by a joint without a motor.

        Args:
            parent: Index of one part.
            child: Index of the other, whose angle relative to the first is limited.
            place: Where, relative to the spawn point.
            limits: Least and largest angle.
        """
        (ax, ay), (bx, by) = self._parts[parent].spawn, self._parts[child].spawn
        x, y = place
        self._joints.append(Joint(parent, child, (x - ax, y - ay), (x - bx, y - by), *limits))

    def add_leg(self, trunk: int, place: Point, segments: Iterable[Segment], side: int) -> None:
        """Add a limb of motorised parts.

        Args:
            trunk: Index of the part that it is fixed to.
            place: Where on that part.
            segments: Its parts, from the trunk outward.
            side: See :class:`Part`.
        """
        parent, anchor = trunk, place
        for segment in segments:
            end = segment.height / 2 if segment.up else -segment.height / 2
            x, y = self._parts[parent].on_spawn(anchor)
            part = Part(
                segment.name,
                density=1.0,
                half_size=(segment.width / 2, segment.height / 2),
                angle=segment.angle,
                senses_contact=segment.senses_contact,
                side=side,
            )
            part = replace(part, spawn=replace(part, spawn=(x, y)).on_spawn((0.0, end)))
            child = self.add_part(part)
            self._joints.append(
                Joint(
                    parent,
                    child,
                    anchor,
                    (0.0, -end),
                    *segment.limits,
                    segment.speed,
                    segment.observed_offset,
                )
            )
            parent, anchor = child, (0.0, end)

    def finish(self, **numbers: Any) -> Body:
        """Return the body.

        Args:
            **numbers: The other attributes of :class:`Body`.
        """
        return Body(tuple(self._parts), tuple(self._joints), **numbers)
