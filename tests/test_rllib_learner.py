"""What RLlib's learner makes of episodes: advantages, signals, scales; needs no running Ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray")
torch = pytest.importorskip("torch")

from ray.rllib.core import DEFAULT_MODULE_ID  # noqa: E402
from ray.rllib.core.columns import Columns  # noqa: E402
from ray.rllib.env.single_agent_episode import SingleAgentEpisode  # noqa: E402
from ray.rllib.evaluation.postprocessing import Postprocessing  # noqa: E402
from ray.rllib.utils.postprocessing.episodes import (  # noqa: E402
    add_one_ts_to_episodes_and_truncate,
)

from students.rllib_learner import TrialAdvantages  # noqa: E402
from students.rllib_module import Moments  # noqa: E402
from teachenv.protocols import Outcome  # noqa: E402


class Recorded:
    """A value function by table: the first observation is the state's number."""

    def __init__(self, values: list[float]) -> None:
        self._values = torch.tensor(values)

    def compute_values(self, columns: dict[str, Any]) -> Any:
        return self._values[columns[Columns.OBS][:, 0].long()]


def piece(states: list[int], rewards: list[float], info: dict[str, Any], **end: bool) -> Any:
    episode = SingleAgentEpisode(
        observations=[np.array([s], dtype=np.float32) for s in states],
        actions=[0] * len(rewards),
        rewards=rewards,
        infos=[{"trial": info["trial"]}] * len(rewards) + [info],
        len_lookback_buffer=0,
        **end,
    )
    add_one_ts_to_episodes_and_truncate([episode])
    return episode


def run_pieces(connector: TrialAdvantages, values: list[float], pieces: list[Any]) -> Any:
    observations = np.concatenate([p.get_observations()[: len(p)] for p in pieces])
    columns = {Columns.OBS: torch.from_numpy(observations)}
    batch = {DEFAULT_MODULE_ID: columns}
    module = {DEFAULT_MODULE_ID: Recorded(values)}
    return connector(rl_module=module, batch=batch, episodes=pieces)[DEFAULT_MODULE_ID]


def test_advantages_and_signals_of_an_episode_in_two_pieces() -> None:
    gamma, lam = 0.9, 0.8
    connector = TrialAdvantages(gamma=gamma, lambda_=lam, scale_rewards=False, observations=None)
    told: dict[int, dict[str, float]] = {}
    connector.report = told.__setitem__
    values = [0.5, 1.0, -0.25, 2.0]
    first = piece([0, 1, 2], [1.0, 2.0], {"trial": 7})
    out = run_pieces(connector, values, [first])
    d0, d1 = 1.0 + gamma * 1.0 - 0.5, 2.0 + gamma * -0.25 - 1.0
    advantages = np.array([d0 + gamma * lam * d1, d1])
    np.testing.assert_allclose(out[Postprocessing.VALUE_TARGETS], advantages + values[:2], 1e-6)
    np.testing.assert_allclose(
        out[Postprocessing.ADVANTAGES],
        [np.sign(d0 + 0.72 * d1 - d1), -np.sign(d0 + 0.72 * d1 - d1)],
        1e-5,
    )
    assert not told
    end = {
        "trial": 7,
        "task": np.array([0.1]),
        "level_seed": np.int64(3),
        "outcome": Outcome(0.5, -1.0, 3, False),
    }
    out = run_pieces(connector, values, [piece([2, 3], [-4.0], end, terminated=True)])
    last = -4.0 + 0.25
    np.testing.assert_allclose(out[Postprocessing.VALUE_TARGETS], [-4.0], 1e-6)
    assert connector.steps == 3
    assert told[7] == pytest.approx(
        {
            "positive_value_loss": (advantages.clip(0).sum() + max(last, 0)) / 3,
            "value_l1": (np.abs(advantages).sum() + abs(last)) / 3,
            "max_monte_carlo": 1.0 + gamma * 2.0 - gamma**2 * 4.0 - (0.5 + 1.0 - 0.25) / 3,
            "value_mean": (0.5 + 1.0 - 0.25) / 3,
            "value_start": 0.5,
        }
    )


def test_a_time_limit_bootstraps_and_a_failed_trial_gives_no_signal() -> None:
    connector = TrialAdvantages(gamma=0.9, lambda_=0.8, scale_rewards=False, observations=None)
    told: dict[int, dict[str, float]] = {}
    connector.report = told.__setitem__
    out = run_pieces(
        connector,
        [0.0, 2.0],
        [piece([0, 1], [1.0], {"trial": 0, "failed": "nan"}, truncated=True)],
    )
    np.testing.assert_allclose(out[Postprocessing.VALUE_TARGETS], [1.0 + 0.9 * 2.0], 1e-6)
    assert told == {}


def test_signals_are_in_raw_units_when_rewards_are_scaled() -> None:
    told: dict[int, dict[str, float]] = {}
    end = {"trial": 0, "task": np.zeros(1), "level_seed": 0, "outcome": Outcome(0, 60.0, 3, False)}
    connector = TrialAdvantages(gamma=0.9, lambda_=1.0, scale_rewards=True, observations=None)
    connector.report = told.__setitem__
    run_pieces(
        connector, [0.0] * 4, [piece([0, 1, 2, 3], [10.0, 20.0, 30.0], end, terminated=True)]
    )
    discounted = np.array([10.0, 29.0, 56.1])
    assert connector.returns.deviation[0] == pytest.approx(discounted.std(), rel=1e-2)
    raw = [10 + 0.9 * (20 + 0.9 * 30), 20 + 0.9 * 30, 30]
    assert told[0]["positive_value_loss"] == pytest.approx(np.mean(raw), rel=1e-5)


def test_moments_of_batches_are_those_of_all_samples() -> None:
    samples = np.random.default_rng(0).normal([3.0, -1.0], [2.0, 0.1], (500, 2))
    moments = Moments(2)
    for batch in np.array_split(samples, [7, 100, 350]):
        moments.update(batch)
    np.testing.assert_allclose(moments.mean, samples.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, samples.var(axis=0), rtol=1e-3)
