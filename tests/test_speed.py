"""The line that says how fast an environment steps here."""

import gymnasium as gym
import numpy as np
import pytest
import worlds

from teachenv.env import MakeEnv
from teachenv.envs.bipedal.engine import native_module
from teachenv.speed import describe_speed

NO_ENGINE = native_module()[1]
STUMPS = "teachenv/StumpTracks-v0"


@pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")
def test_native_environments_tell_instruction_set_and_lanes():
    line = describe_speed(MakeEnv(STUMPS), seconds=0.02)
    isa = native_module()[0].ISAS[-1]
    assert line.startswith(f"native, {isa}, 256 lanes: ")
    assert line.endswith("000 steps/s on one core")


@pytest.mark.parametrize(
    ("make_env", "start"),
    [
        (MakeEnv(STUMPS, {"backend": "reference"}), "reference physics: "),
        (MakeEnv(worlds.POLE), ""),
    ],
    ids=["reference", "pole"],
)
def test_others_are_stepped_one_at_a_time(make_env, start):
    line = describe_speed(make_env, seconds=0.02)
    assert line.startswith(start)
    assert line.removeprefix(start).endswith("0 steps/s, one at a time")


class Moves(gym.Wrapper):
    """Notes the actions of all its kind."""

    seen: list[float] = []  # noqa: RUF012

    def step(self, action):
        self.seen.append(np.ravel(action).item(0))
        return super().step(action)


class MakeMoves(MakeEnv):
    """Makes environments that note their actions."""

    def __call__(self):
        return Moves(super().__call__())


def test_actions_are_random_ones():
    describe_speed(MakeMoves(STUMPS, {"backend": "reference"}), seconds=0.02)
    assert len(set(Moves.seen)) > 20
