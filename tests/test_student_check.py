"""``check_student`` finds nothing in a sound student and the fault in each broken one."""

import random

import numpy as np
import pytest

from students.check import check_student, pendulum, state_digest
from students.signals import SIGNALS
from teachenv.seeding import derive
from teachenv.wrap import CurriculumWrapper

ROLLOUT = 50


class Linear:
    """A linear policy that drifts at random with momentum: it learns nothing, properly."""

    provides = SIGNALS
    carries = False

    def __init__(self, make_env, broker, seed):
        self.broker = broker
        self.env = CurriculumWrapper(make_env(), broker)
        self.weights = derive(seed, "linear").normal(size=(3, 1))
        self.momentum = np.zeros((3, 1))

    def learn(self, n_steps, *, seed, carry=False):
        rng = derive(self.seed_used(seed), "learn")
        steps = 0
        observation, _ = self.env.reset(seed=int(rng.integers(1000)))
        while steps < self.rounded(n_steps):
            action = self.act(observation[None])[0]
            observation, _, terminated, truncated, info = self.env.step(action)
            steps += 1
            self.advance(steps)
            self.momentum = 0.9 * self.momentum + 0.01 * rng.normal(size=(3, 1))
            self.weights += self.momentum * observation.mean()
            if terminated or truncated:
                self.deliver(info["trial"])
                observation, _ = self.env.reset()
        self.env.abandon()
        return self.counted(steps)

    def seed_used(self, seed):
        return seed

    def rounded(self, n_steps):
        return -(-n_steps // ROLLOUT) * ROLLOUT

    def counted(self, steps):
        return steps

    def advance(self, steps):
        self.broker.advance(self.broker.step + 1)

    def deliver(self, trial_id):
        self.broker.signal(trial_id, dict.fromkeys(SIGNALS, 0.0))

    def act(self, observations):
        return np.clip(observations @ self.weights, -2, 2).astype(np.float32)

    def state_dict(self):
        return {"weights": self.weights.copy(), "momentum": self.momentum.copy()}

    def load_state_dict(self, state):
        self.weights, self.momentum = state["weights"].copy(), state["momentum"].copy()

    def close(self):
        self.env.close()


class IgnoresSeed(Linear):
    def seed_used(self, seed):
        return 0


class OwnSeed(Linear):
    def seed_used(self, seed):
        return random.SystemRandom().randrange(2**31)


class ZeroIsNoSeed(Linear):
    def seed_used(self, seed):
        return seed or random.SystemRandom().randrange(2**31)


class RandomAct(Linear):
    def __init__(self, *args):
        super().__init__(*args)
        self.rng = np.random.default_rng(0)

    def act(self, observations):
        noise = 0.1 * self.rng.normal(size=(len(observations), 1))
        return np.clip(observations @ self.weights + noise, -2, 2).astype(np.float32)


class ActTrains(Linear):
    def act(self, observations):
        actions = super().act(observations)
        self.momentum += 1e-9
        return actions


class ActDrawsGlobally(Linear):
    def act(self, observations):
        np.random.rand()  # noqa: NPY002
        return super().act(observations)


class ActDrawsFromRandom(Linear):
    def act(self, observations):
        random.random()
        return super().act(observations)


class FlatActions(Linear):
    def act(self, observations):
        return (
            super().act(observations)[:, 0] if len(observations) > 1 else super().act(observations)
        )


class WildActions(Linear):
    def act(self, observations):
        return super().act(observations) + np.float32(10)


class TooFew(Linear):
    def rounded(self, n_steps):
        return n_steps // 2 + 1


class TooMany(Linear):
    def rounded(self, n_steps):
        return super().rounded(n_steps) if n_steps == 1 else 2 * n_steps


class Miscounts(Linear):
    def counted(self, steps):
        return steps + 1


class NeverAdvances(Linear):
    def advance(self, steps):
        pass


class NoSignals(Linear):
    def deliver(self, trial_id):
        if trial_id % 2:
            super().deliver(trial_id)


class LosesMomentum(Linear):
    def load_state_dict(self, state):
        self.weights, self.momentum = state["weights"].copy(), np.zeros((3, 1))


class KeepsOldWeights(Linear):
    def load_state_dict(self, state):
        self.momentum = state["momentum"].copy()


class SharesState(Linear):
    def state_dict(self):
        return {"weights": self.weights, "momentum": self.momentum}


class ObjectState(Linear):
    def state_dict(self):
        return {**super().state_dict(), "rng": np.random.default_rng(0)}


class LeavesEnvsOpen(Linear):
    def close(self):
        pass


class Raises(Linear):
    def act(self, observations):
        raise ZeroDivisionError("inside act")


EIGHT = {
    *(IgnoresSeed, RandomAct, ActTrains, LosesMomentum, TooMany, LeavesEnvsOpen, FlatActions),
    ActDrawsGlobally,
}
"""Ignores the seed, acts at random, learns in act, loses its optimizer, plays too many steps, leaks
environments, gives another shape, uses a global generator."""


def test_a_sound_student_has_no_findings():
    assert check_student(Linear) == []


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (IgnoresSeed, "seed-ignored"),
        (OwnSeed, "not-reproducible"),
        (ZeroIsNoSeed, "not-reproducible"),
        (RandomAct, "act-random"),
        (ActTrains, "act-changes-state"),
        (ActDrawsGlobally, "act-global-rng"),
        (ActDrawsFromRandom, "act-global-rng"),
        (FlatActions, "act-shape"),
        (WildActions, "act-outside"),
        (TooFew, "learn-too-few"),
        (TooMany, "learn-too-many"),
        (Miscounts, "learn-count"),
        (NeverAdvances, "learn-advance"),
        (NoSignals, "outcomes-missing"),
        (LosesMomentum, "resume-differs"),
        (KeepsOldWeights, "resume-differs"),
        (SharesState, "state-shared"),
        (ObjectState, "raised"),
        (LeavesEnvsOpen, "envs-open"),
        (Raises, "raised"),
    ],
)
def test_a_broken_student_is_found_out(broken, code, bar):
    findings = check_student(broken, pendulum)
    assert code in {finding.code for finding in findings}, findings
    assert all(finding.message for finding in findings)
    bar("C3", mutants=broken in EIGHT, more_mutants=broken not in EIGHT, missed=0)


def test_the_eight_mutants_promised_are_different():
    assert len(EIGHT) == 8


def test_state_digests_tell_values_names_shapes_and_types_apart():
    states = [
        {"a": np.zeros(4)},
        {"b": np.zeros(4)},
        {"a": np.zeros((2, 2))},
        {"a": np.zeros(4, dtype=np.float32)},
        {"a": np.zeros(8, dtype=np.float32)},
        {"a": np.array([0.0, 0.0, 0.0, 1e-300])},
        {"a": {"a": np.zeros(4)}},
        {"a": [0.0, 0.0, 0.0, 0.0]},
        {"a": 0},
        {"a": "0"},
        {"a": None},
    ]
    digests = [state_digest(state) for state in states]
    assert len(set(digests)) == len(states)
    assert state_digest({"x": 1, "y": np.ones(2)}) == state_digest({"y": np.ones(2), "x": 1})


def test_objects_in_a_state_are_refused_by_name():
    with pytest.raises(TypeError, match="state /policy/rng"):
        state_digest({"policy": {"rng": np.random.default_rng(0)}})
