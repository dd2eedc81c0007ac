"""Trials in the lanes of a vector environment."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from toys import Recorder
from worlds import POLE

from teachenv import CurriculumVector, CurriculumWrapper, Dim, TaskSpace, Trial
from teachenv.broker import Broker
from teachenv.envs.bipedal.engine import native_module
from teachenv.vector import select_lanes

NO_ENGINE = native_module()[1]
with_engine = pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")
both_modes = pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=["next", "same"]
)
STUMPS = "teachenv/StumpTracks-v0"


class Steps(VectorEnv):
    """Each lane plays ``length`` steps of reward 0.5; observed: task, level seed, time.

    Action ``nan`` makes a lane return an observation that is not a number, ``inf`` an infinite
    reward; action 9 makes the environment raise.
    """

    task_space = TaskSpace([Dim("length", 1, 40, default=3, kind="int"), Dim("other", 0.0, 1.0)])
    return_range = (0.0, 20.0)
    mastery = 10.0

    def __init__(self, n=3, mode=AutoresetMode.NEXT_STEP):
        self.num_envs = n
        self.autoreset_mode = mode
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.observation_space = spaces.Box(-np.inf, np.inf, (n, 4), np.float64)
        self.single_action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (n, 1), np.float64)
        self.playing = [(self.task_space.default, 0)] * n
        self.next = list(self.playing)
        self.t = np.zeros(n, int)
        self.over = np.zeros(n, bool)
        self.poison = 0.0

    def set_next(self, lane, task, level_seed=None):
        self.next[lane] = (self.task_space.task(task), level_seed)

    def truncate(self, lane):
        self.over[lane] = True

    def _begin(self, lanes):
        for lane in lanes:
            self.playing[lane] = self.next[lane]
        self.t[lanes] = 0
        self.over[lanes] = False

    def _observe(self):
        rows = [
            (*task, seed, t) for (task, seed), t in zip(self.playing, self.t.tolist(), strict=True)
        ]
        return np.array(rows, float) + self.poison

    def _infos(self):
        everyone = np.ones(self.num_envs, bool)
        return {"is_success": self.t > 20, "_is_success": everyone}

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        self._begin(np.flatnonzero(mask))
        return self._observe(), select_lanes(self._infos(), mask)

    def step(self, actions):
        if (actions == 9).any():
            raise OSError("broken")
        fresh = self.over.copy()
        if self.autoreset_mode is AutoresetMode.DISABLED:
            assert not fresh.any()
        self._begin(np.flatnonzero(fresh))
        self.t += ~fresh
        rewards = np.where(fresh, 0.0, 0.5) + np.where(np.isinf(actions[:, 0]), np.inf, 0.0)
        lengths = np.array([task[0] for task, _ in self.playing])
        terminated = self.t >= lengths
        self.over = terminated.copy()
        observations = self._observe()
        observations[np.isnan(actions[:, 0]), 1] = np.nan
        return observations, rewards, terminated, np.zeros_like(terminated), self._infos()


class Source:
    """Issues lengths in turn and writes down everything that is said."""

    def __init__(self, lengths=(3, 5, 4), held_out=()):
        self.lengths = lengths
        self.held_out = held_out
        self.log = []
        self.outcomes = {}
        self.lanes = {}
        self.n = 0

    def ask(self, lane):
        for trial in [t for t, name in self.lanes.items() if name == lane]:
            del self.lanes[trial]
            self.log.append(("lost", trial))
        trial = Trial(
            self.n,
            np.array([float(self.lengths[self.n % len(self.lengths)]), 0.5]),
            level_seed=1000 + self.n,
            train=self.n not in self.held_out,
        )
        self.log.append(("ask", lane, trial.id))
        self.lanes[trial.id] = lane
        self.n += 1
        return trial

    def tell(self, trial_id, outcome, message="", *, raised=False):
        del self.lanes[trial_id]
        self.log.append(("tell", trial_id, outcome.status))
        self.outcomes[trial_id] = (outcome, message)


def start(mode=AutoresetMode.NEXT_STEP, n=3, **kwargs):
    source = Source(**kwargs)
    env = CurriculumVector(Steps(n, mode), source)
    env.reset(seed=0)
    return env, source


def still(n=3):
    return np.zeros((n, 1))


def assert_played_as_issued(source, outcome_of):
    for trial_id, (outcome, _) in source.outcomes.items():
        length = source.lengths[trial_id % len(source.lengths)]
        assert (outcome.episode_length, outcome.episode_return) == (length, 0.5 * length)
        assert outcome == outcome_of[trial_id]


@both_modes
def test_every_trial_reaches_its_lane_and_comes_back_once(mode):
    env, source = start(mode, lengths=(3, 5, 4, 30))
    assert env.metadata["autoreset_mode"] is mode
    told = {}
    for _ in range(60):
        observations, _, terminated, _, infos = env.step(still())
        assert (observations[:, 2] == 1000 + infos["trial"]).all()
        ended = infos.get("final_info", infos)
        for lane in np.flatnonzero(terminated):
            assert ended["_outcome"][lane]
            told[int(ended["trial"][lane])] = ended["outcome"][lane]
            assert env.played[lane].id == ended["trial"][lane]
    assert_played_as_issued(source, told)
    assert told[0].score == pytest.approx(1.5 / 20)
    assert told[3].success
    assert not told[0].success
    assert len(source.outcomes) == source.n - len(source.lanes)
    assert all(outcome.status == "ok" for outcome, _ in source.outcomes.values())


def test_asks_are_in_the_order_of_lanes_and_after_all_tells():
    env, source = start(lengths=(2, 2, 2))
    for _ in range(3):
        env.step(still())
    asks = [("ask", str(lane), lane) for lane in range(3)]
    tells = [("tell", lane, "ok") for lane in range(3)]
    again = [("ask", str(lane), lane + 3) for lane in range(3)]
    assert source.log == asks + tells + again


def test_nothing_is_asked_for_before_it_is_played():
    env, source = start(lengths=(2,))
    env.step(still())
    env.step(still())
    assert source.n == 3
    same, source = start(AutoresetMode.SAME_STEP, lengths=(2,))
    same.step(still())
    assert source.n == 3
    same.step(still())
    assert source.n == 6


@both_modes
def test_played_names_the_trial_of_each_step(mode):
    env, _ = start(mode, lengths=(2, 3))
    assert [trial.id for trial in env.played] == [0, 1, 2]
    before = env.played
    env.step(still())
    assert env.played is before
    _, _, terminated, _, _ = env.step(still())
    assert terminated.tolist() == [True, False, True]
    assert [trial.id for trial in env.played] == [0, 1, 2]
    assert before == env.played
    playing = [trial.id for trial in env.playing]
    assert playing == ([0, 1, 2] if mode is AutoresetMode.NEXT_STEP else [3, 1, 4])
    env.step(still())
    assert [trial.id for trial in env.played] == [3, 1, 4]
    assert [trial.id for trial in before] == [0, 1, 2]


def test_same_step_returns_the_end_apart_and_the_new_beginning():
    env, _ = start(AutoresetMode.SAME_STEP, lengths=(2, 3, 4))
    env.step(still())
    observations, rewards, terminated, _, infos = env.step(still())
    assert terminated.tolist() == [True, False, False]
    assert rewards.tolist() == [0.5] * 3
    assert observations[0].tolist() == [2.0, 0.5, 1003.0, 0.0]
    assert infos["final_obs"][0].tolist() == [2.0, 0.5, 1000.0, 2.0]
    assert infos["final_obs"][1] is None
    assert infos["_final_info"].tolist() == [True, False, False]
    assert infos["final_info"]["trial"].tolist() == [0, 0, 0]
    assert infos["final_info"]["_trial"].tolist() == [True, False, False]
    assert infos["trial"].tolist() == [3, 1, 2]
    assert "outcome" not in infos


class Talkative(Steps):
    """Infos of infos, and one that only ``reset`` gives."""

    def _infos(self):
        everyone = np.ones(self.num_envs, bool)
        clock = {"t": self.t.copy(), "_t": everyone}
        return {**super()._infos(), "clock": clock, "_clock": everyone}

    def reset(self, *, seed=None, options=None):
        observations, infos = super().reset(seed=seed, options=options)
        mask = infos["_is_success"]
        return observations, {**infos, "born": 7 * mask, "_born": mask}


def test_same_step_takes_whatever_infos_the_environment_gives():
    env = CurriculumVector(Talkative(3, AutoresetMode.SAME_STEP), Source(lengths=(2, 3, 4)))
    env.reset()
    env.step(still())
    infos = env.step(still())[-1]
    assert infos["clock"]["t"].tolist() == [0, 2, 2]
    assert infos["final_info"]["clock"]["t"].tolist() == [2, 0, 0]
    assert infos["born"].tolist() == [7, 0, 0]
    assert infos["_born"].tolist() == [True, False, False]


@both_modes
def test_trials_that_are_not_for_training_say_so_throughout(mode):
    env, _ = start(mode, lengths=(2, 3, 4), held_out=(1, 3))
    for _ in range(12):
        _, _, terminated, _, infos = env.step(still())
        expected = np.isin(infos["trial"], (1, 3))
        if expected.any():
            assert infos["_train"].tolist() == expected.tolist()
            assert not infos["train"].any()
        else:
            assert "train" not in infos
        if "final_info" in infos:
            final = infos["final_info"]
            held = terminated & np.isin(final["trial"], (1, 3))
            assert final.get("_train", np.zeros(3, bool)).tolist() == held.tolist()


@both_modes
@pytest.mark.parametrize(("poison", "what"), [(np.nan, "observation"), (np.inf, "reward inf")])
def test_numbers_that_are_not_finite_fail_their_lane_only(mode, poison, what):
    env, source = start(mode, lengths=(9, 9, 9))
    env.step(still())
    actions = still()
    actions[1] = poison
    observations, rewards, terminated, truncated, infos = env.step(actions)
    assert np.isfinite(observations).all()
    assert rewards.tolist() == [0.5, 0.0, 0.5]
    assert truncated.tolist() == [False, True, False]
    assert not terminated.any()
    ended = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
    assert ended["_failed"].tolist() == [False, True, False]
    outcome, message = source.outcomes[1]
    assert outcome.status == "failed"
    assert message == ended["failed"][1]
    for part in ("lane 1", what, "task [9.0, 0.5]", "level seed 1001", "step 2"):
        assert part in message
    for _ in range(2):
        observations, _, _, _, infos = env.step(still())
    assert infos["trial"].tolist() == [0, 3, 2]
    assert observations[:, 3].tolist() == [4, 1 if mode is AutoresetMode.NEXT_STEP else 2, 4]
    for _ in range(9):
        env.step(still())
    assert source.outcomes[3][0].episode_length == 9


def test_a_broken_first_observation_fails_the_trials_and_raises():
    source = Source()
    env = CurriculumVector(Steps(), source)
    env.unwrapped.poison = np.inf
    with pytest.raises(ValueError, match="lane 0: observation of reset is not finite"):
        env.reset()
    assert [source.outcomes[i][0].status for i in range(3)] == ["failed"] * 3
    env.unwrapped.poison = 0.0
    env.reset()
    env.step(still())


@both_modes
def test_an_exception_fails_the_running_trials_and_is_raised_on(mode):
    env, source = start(mode, lengths=(2, 9, 9))
    for _ in range(2):
        env.step(still())
    with pytest.raises(OSError, match="broken"):
        env.step(still() + 9)
    failed = {i for i, (outcome, _) in source.outcomes.items() if outcome.status == "failed"}
    assert failed == {1, 2, 3}
    assert "step raised OSError" in source.outcomes[3][1]
    with pytest.raises(ResetNeeded):
        env.step(still())
    env.reset()
    env.step(still())


@both_modes
def test_abandoned_trials_are_lost_and_a_reset_begins_anew(mode):
    env, source = start(mode, lengths=(2, 9, 9))
    for _ in range(2):
        env.step(still())
    env.abandon()
    env.abandon()
    assert not source.lanes
    assert [source.outcomes[i][0].status for i in range(3)] == ["ok", "lost", "lost"]
    with pytest.raises(ResetNeeded):
        env.step(still())
    first = source.n
    env.reset()
    env.step(still())
    assert [trial.id for trial in env.played] == [first, first + 1, first + 2]


def test_a_reset_ends_what_is_played_as_lost_and_a_mask_leaves_others_alone():
    env, source = start(lengths=(2, 9, 9))
    for _ in range(2):
        env.step(still())
    mask = np.array([True, True, False])
    infos = env.reset(options={"reset_mask": mask, "task": "ignored", "level_seed": -1})[1]
    assert infos["_trial"].tolist() == mask.tolist()
    assert source.log[-3:] == [("ask", "0", 3), ("lost", 1), ("ask", "1", 4)]
    for _ in range(7):
        env.step(still())
    assert source.outcomes[2][0].episode_length == 9
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": np.ones(2, bool)})


def test_closing_reports_what_is_played_even_after_the_round():
    broker = Broker(Recorder(Steps.task_space))
    env = CurriculumVector(Steps(), broker)
    env.reset()
    assert len(broker.outstanding) == 3
    env.close()
    assert not broker.outstanding
    assert broker.counts["lost"] == 3
    env = CurriculumVector(Steps(), broker, prefix="eval-")
    env.reset()
    broker.close_round()
    env.close()


def test_only_environments_that_can_be_told_are_taken():
    with pytest.raises(TypeError, match=r"missing: \['task_space'.*set_next"):
        CurriculumVector(gym.make_vec("CartPole-v1", num_envs=2), Source())
    with pytest.raises(TypeError, match="set_next"):
        CurriculumVector(gym.make_vec(POLE, num_envs=2, vectorization_mode="sync"), Source())
    with pytest.raises(ValueError, match="not DISABLED"):
        CurriculumVector(Steps(mode=AutoresetMode.DISABLED), Source())


class StumpSource(Source):
    """Different tasks for the stump tracks."""

    def ask(self, lane):
        trial = super().ask(lane)
        height = 3.0 * (trial.id % 7) / 7
        return Trial(trial.id, np.array([height, 2.0]), level_seed=trial.level_seed)


@with_engine
def test_native_lanes_play_what_wrapped_single_environments_play():
    n, limit = 3, {"max_episode_steps": 40}
    ours = CurriculumVector(gym.make_vec(STUMPS, num_envs=n, **limit), one := StumpSource())
    two = StumpSource()

    def make(lane):
        return lambda: CurriculumWrapper(gym.make(STUMPS, backend="native", **limit), two, lane)

    theirs = SyncVectorEnv([make(lane) for lane in range(n)])
    assert np.array_equal(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    rng = np.random.default_rng(0)
    for _ in range(130):
        actions = rng.uniform(-1, 1, (n, 4)).astype(np.float32)
        expected, got = theirs.step(actions), ours.step(actions)
        for a, b in zip(expected[:4], got[:4], strict=True):
            assert a.tobytes() == b.tobytes()
        assert expected[4].keys() == got[4].keys()
        for key, value in expected[4].items():
            assert np.array_equal(value, got[4][key]), key
    assert len(one.outcomes) >= 9
    assert one.outcomes == two.outcomes
