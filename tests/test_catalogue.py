"""What ``teachenv list`` says of environments that it does not make."""

from __future__ import annotations

import pytest

from teachenv.env import MakeEnv, task_contract
from teachenv.envs import ENVS
from teachenv.experiments.catalogue import tasks_of

COSTLY = ("Intervention", "reasoning", "easyvqa")
"""Parts of the names of environments that load libraries or pictures for seconds when made."""


@pytest.mark.parametrize(
    "env_id",
    [
        pytest.param(env_id, marks=pytest.mark.slow if any(c in env_id for c in COSTLY) else ())
        for env_id in ENVS
    ],
)
def test_the_tasks_listed_are_those_of_the_environment_when_made(env_id: str) -> None:
    env = MakeEnv(env_id)()
    space, _, mastery = task_contract(env)
    env.close()
    assert tasks_of(env_id) == (space, mastery)


def test_environments_that_are_costly_to_make_are_listed_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MakeEnv, "__call__", lambda self: pytest.fail(f"made {self.env_id}"))
    costly = [env_id for env_id in ENVS if any(part in env_id for part in COSTLY)]
    assert len(costly) == 7
    for env_id in costly:
        assert tasks_of(env_id)[0].dim == 2
