"""What tests of bodies share."""

import pytest

from teachenv.envs.bipedal.bodies import BODIES

EVERY_BODY = pytest.mark.parametrize("name", BODIES)


def columns(body):
    """Where each motor's angle, speed, and contact flag or None, is in an observation."""
    at, found = 4, []
    for joint in body.motors:
        flag = at + 2 if body.parts[joint.child].senses_contact else None
        found.append((joint, at, at + 1, flag))
        at += 2 if flag is None else 3
    return found
