"""Native vector environments as the lanes of students."""

import numpy as np
import pytest
import worlds
from gymnasium.vector import AutoresetMode
from test_curriculum_vector import Steps

import students
import teachers
from students.check import state_digest
from students.lanes import Lanes, make_lanes
from students.signals import SIGNALS
from students.vector_lanes import VectorLanes
from teachenv.broker import Broker
from teachenv.env import MakeEnv
from teachenv.envs.bipedal.engine import native_module
from teachenv.protocols import Trial

NO_ENGINE = native_module()[1]
with_engine = pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")

STUMPS = MakeEnv("teachenv/StumpTracks-v0", {"max_episode_steps": 60})
"""Walkers whose episodes end by falling or, often, by the time limit."""


def one_by_one():
    """Make a walker that only differs from those of the vector environment in being alone."""
    return STUMPS()


class Teacher:
    """Draws evenly, says of every third trial not to train on it, and notes what it is told."""

    def __init__(self, space, needs=frozenset()):
        self.space, self.needs, self.told = space, needs, {}
        self.rng, self.asked = np.random.default_rng(0), 0

    def ask(self):
        self.asked += 1
        return Trial(self.asked - 1, self.space.sample(self.rng), train=self.asked % 3 != 0)

    def tell(self, trial, outcome):
        assert trial.id not in self.told
        self.told[trial.id] = outcome


def bench(needs=frozenset()):
    env = one_by_one()
    teacher = Teacher(env.get_wrapper_attr("task_space"), needs)
    env.close()
    return teacher, Broker(teacher, seed=1)


# -- which lanes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make_env",
    [
        MakeEnv("teachenv/StumpTracks-v0", {"backend": "reference"}),
        MakeEnv(worlds.POLE),
        MakeEnv("CartPole-v1"),
    ],
    ids=["reference backend", "no vector", "vector without tasks"],
)
def test_environments_without_a_vector_of_their_own_have_none(make_env):
    assert make_env.vector(2) is None


@with_engine
def test_native_environments_are_lanes_of_one_vector():
    lanes = make_lanes(STUMPS, bench()[1], 5)
    assert isinstance(lanes, VectorLanes)
    assert lanes.num_envs == 5
    lanes.close()


def test_other_environments_are_stepped_one_by_one():
    lanes = make_lanes(worlds.pole, Broker(Teacher(worlds.POLE_SPACE)), 2)
    assert isinstance(lanes, Lanes)
    assert lanes.num_envs == 2
    lanes.close()


@with_engine
@pytest.mark.parametrize(
    ("make_env", "expected"), [(STUMPS, (256, 128, 0.99)), (one_by_one, (16, 256, 0.999))]
)
def test_hyper_parameters_suit_native_environments(make_env, expected):
    student = students.make("sb3-ppo", make_env, bench()[1])
    model = student._model
    assert (student._lanes.num_envs, model.n_steps, model.gamma) == expected
    student.close()
    student = students.make("sb3-ppo", make_env, bench()[1], n_envs=3, n_steps=7, batch_size=21)
    assert (student._lanes.num_envs, student._model.n_steps) == (3, 7)
    student.close()


# -- what they say ---------------------------------------------------------------------------


@with_engine
def test_lanes_of_a_vector_say_what_single_environments_say():
    teachers_and_brokers = bench(), bench()
    lanes = [
        make_lanes(make_env, broker, 4)
        for make_env, (_, broker) in zip((one_by_one, STUMPS), teachers_and_brokers, strict=True)
    ]
    assert [type(each) for each in lanes] == [Lanes, VectorLanes]
    rng = np.random.default_rng(0)
    first = []
    for each in lanes:
        each.restart_from(3)
        first.append(each.reset())
    np.testing.assert_array_equal(*first)
    ended = truncated = 0
    for _ in range(300):
        actions = rng.uniform(-1, 1, (4, 4)).astype(np.float32)
        (x, reward, done, infos), (y, reward_2, done_2, infos_2) = (e.step(actions) for e in lanes)
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(reward, reward_2)
        assert reward.dtype == reward_2.dtype
        np.testing.assert_array_equal(done, done_2)
        assert [t.id for t in lanes[0].played] == [t.id for t in lanes[1].played]
        np.testing.assert_array_equal(*(each.trained for each in lanes))
        for lane in np.flatnonzero(done):
            np.testing.assert_array_equal(
                *(i[lane]["terminal_observation"] for i in (infos, infos_2))
            )
            for name in ("outcome", "TimeLimit.truncated"):
                assert infos[lane][name] == infos_2[lane][name]
            ended += 1
            truncated += infos[lane]["TimeLimit.truncated"]
    assert ended > truncated > 3
    assert teachers_and_brokers[0][0].told == teachers_and_brokers[1][0].told
    for each in lanes:
        each.close()


def steps(n=3):
    vector = Steps(n)
    teacher = Teacher(vector.task_space)
    broker = Broker(teacher)
    return vector, VectorLanes(vector, broker), broker


def test_lanes_whose_episode_goes_on_share_one_info_that_nobody_can_write():
    _, lanes, _ = steps(n=40)
    lanes.reset()
    dones = np.zeros(40, bool)
    while not dones.any():
        _, _, dones, infos = lanes.step(np.zeros((40, 1)))
    assert not dones.all()
    assert len({id(info) for info in infos}) == dones.sum() + 1
    with pytest.raises(TypeError):
        infos[np.flatnonzero(~dones)[0]]["mine"] = 1


def test_a_lane_with_bad_numbers_is_failed_and_plays_on():
    _, lanes, broker = steps()
    lanes.reset()
    actions = np.zeros((3, 1))
    actions[1] = np.nan
    observations, _, dones, infos = lanes.step(actions)
    assert dones[1]
    assert "outcome" not in infos[1]
    assert infos[1]["TimeLimit.truncated"]
    assert np.isfinite(observations).all()
    assert np.isfinite(infos[1]["terminal_observation"]).all()
    assert broker.counts["failed"] == 1
    lanes.step(np.zeros((3, 1)))


def test_the_vector_environment_is_told_to_restart_lanes_in_the_step_that_ends_them():
    vector, lanes, _ = steps()
    assert vector.autoreset_mode is AutoresetMode.DISABLED  # its wrapper restarts them
    lanes.reset()
    for _ in range(10):
        _, _, dones, infos = lanes.step(np.zeros((3, 1)))
        for lane in np.flatnonzero(dones):
            assert infos[lane]["outcome"].episode_length == infos[lane]["terminal_observation"][3]


def test_what_lanes_return_stays_as_it_was():
    _, lanes, _ = steps()
    kept = [(lanes.reset(),)]
    kept += [lanes.step(np.zeros((3, 1)))[:3] for _ in range(5)]
    copies = [[array.copy() for array in arrays] for arrays in kept]
    lanes.step(np.zeros((3, 1)))
    for arrays, expected in zip(kept, copies, strict=True):
        for array, copy in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_giving_up_ends_every_trial_as_lost():
    _, lanes, broker = steps()
    lanes.reset()
    lanes.abandon()
    assert broker.outstanding == ()
    assert broker.counts["lost"] == 3


# -- students on them ------------------------------------------------------------------------

TINY = {
    "sb3-ppo": {
        "n_envs": 4,
        "n_steps": 32,
        "batch_size": 64,
        "n_epochs": 2,
        "learning_rate": 3e-4,
        "gamma": 0.99,
        "hidden": (16,),
    },
    "sb3-sac": {
        "n_envs": 4,
        "train_every": 32,
        "gradient_steps": 2,
        "learning_starts": 64,
        "batch_size": 16,
        "buffer_size": 500,
        "hidden": (16,),
    },
}
TINY |= {"sbx-ppo": TINY["sb3-ppo"], "sbx-sac": TINY["sb3-sac"]}


@with_engine
@pytest.mark.parametrize(
    "student_id",
    [pytest.param(id, marks=pytest.mark.slow if id.startswith("sbx") else ()) for id in TINY],
)
def test_a_student_learns_the_same_from_a_vector_as_from_single_environments(student_id):
    found = []
    for make_env in (one_by_one, STUMPS):
        teacher, broker = bench(needs=SIGNALS if "ppo" in student_id else frozenset())
        student = students.make(student_id, make_env, broker, seed=2, **TINY[student_id])
        for k in range(2):
            student.learn(400, seed=k)
            broker.close_round()
        found.append((type(student._lanes), state_digest(student.state_dict()), teacher.told))
        student.close()
    (first, digest, told), (second, digest_2, told_2) = found
    assert (first, second) == (Lanes, VectorLanes)
    assert sum(outcome.status == "ok" for outcome in told.values()) > 5
    assert told == told_2
    assert digest == digest_2


@with_engine
@pytest.mark.parametrize("student_id", ["sb3-ppo", "sbx-ppo"])
def test_a_student_on_a_vector_resumes_bit_for_bit(student_id):
    def session():
        teacher = teachers.make("uniform", bench()[0].space, seed=5)
        broker = Broker(teacher, seed=5)
        student = students.make(student_id, STUMPS, broker, seed=5, **TINY[student_id])
        return {"student": student, "teacher": teacher, "broker": broker}

    def learn(parts, k):
        parts["student"].learn(300, seed=k)
        parts["broker"].close_round()

    parts = session()
    learn(parts, 0)
    saved = {name: part.state_dict() for name, part in parts.items()}
    learn(parts, 1)
    resumed = session()
    for name, part in resumed.items():
        part.load_state_dict(saved[name])
    learn(resumed, 1)
    for name, part in parts.items():
        assert state_digest(part.state_dict()) == state_digest(resumed[name].state_dict()), name
    for each in (parts, resumed):
        each["student"].close()
