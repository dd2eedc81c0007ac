"""The other analytic students, and what all of them promise."""

import json
import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import teachers
from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.toy.forgetting import Forgetting
from teachenv.envs.toy.skill_grid import SkillGrid
from teachenv.envs.toy.stepping_stones import SteppingStones
from teachenv.envs.toy.unlearnable_box import UnlearnableBox
from teachenv.protocols import Outcome
from teachenv.stress import NewStudents, StressedLearner

IDS = ["Forgetting", "SteppingStones", "UnlearnableBox"]
STUDENTS = {
    "grid": lambda: SkillGrid(n_cells=4),
    "forgetting": lambda: Forgetting(n_cells=3, memory=50),
    "stones": SteppingStones,
    "box": UnlearnableBox,
    "noisy": lambda: UnlearnableBox(n_cells=2, learnable=0.5, noise=0.5),
    "rugged": lambda: StressedLearner(SkillGrid(n_cells=4), "rugged"),
    "unfeasible": lambda: StressedLearner(SkillGrid(n_cells=4), "mostly-unfeasible"),
    "trivial": lambda: StressedLearner(SkillGrid(n_cells=4), "mostly-trivial"),
    "irrelevant": lambda: StressedLearner(Forgetting(), "irrelevant"),
    "replaced": lambda: NewStudents(UnlearnableBox(noise=0.3), 150),
}
every_student = pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)


def tasks(learner, n, seed=0):
    """Tasks from all over, every other one of the best curriculum."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        yield learner.best_task() if i % 2 else learner.task_space.sample(rng)


# -- every student ---------------------------------------------------------------------------


@every_student
def test_state_continues_the_same_future(make):
    learner, copy = make(), make()
    for task in tasks(learner, 400):
        learner.play(task)
    copy.load_state_dict(json.loads(json.dumps(learner.state_dict())))
    assert copy.mastered_share == learner.mastered_share
    for task in tasks(learner, 200, seed=1):
        assert copy.best_task().tolist() == learner.best_task().tolist()
        assert copy.play(task) == learner.play(task)
        assert copy.signals() == learner.signals()


@every_student
def test_restart_makes_a_new_student(make):
    learner, fresh = make(), make()
    for task in tasks(learner, 400):
        learner.play(task)
    learner.restart()
    assert learner.mastered_share == 0.0
    assert [learner.play(task) for task in tasks(learner, 300)] == [
        fresh.play(task) for task in tasks(fresh, 300)
    ]


@every_student
def test_scores_and_signals_make_sense(make):
    learner = make()
    for task in tasks(learner, 300):
        score, success = learner.play(task)
        signals = learner.signals()
        assert set(signals) == learner.provides
        assert 0 <= score <= 1
        assert success == (score > 0.75)
        assert signals["value_start"] == signals["value_mean"]
        assert signals["positive_value_loss"] == max(0, score - signals["value_start"])
        assert signals["value_l1"] == abs(score - signals["value_start"])
        assert signals["max_monte_carlo"] >= score - signals["value_start"]


@every_student
def test_many_episodes_are_played_one_after_the_other(make):
    one, many = make(), make()
    chosen = np.array(list(tasks(make(), 200)))
    scores, successes = many.play_many(chosen)
    expected = [one.play(task) for task in chosen]
    assert list(zip(scores.tolist(), successes.tolist(), strict=True)) == expected
    assert many.state_dict() == one.state_dict()


@every_student
def test_nothing_is_learnt_without_training(make):
    learner = make()
    for task in tasks(learner, 140):
        learner.play(task)
    task, before = learner.best_task(), learner.mastered_share
    score = learner.play(task, train=False)[0]
    for _ in range(5):
        assert learner.play(task, train=False)[0] == pytest.approx(score, abs=0.01 * 6 / 50)
    assert learner.mastered_share <= before


@every_student
def test_the_best_curriculum_beats_uniform_tasks(make):
    best, drawn = make(), make()
    teacher = teachers.make("uniform", drawn.task_space, seed=1)
    n = 140 if isinstance(drawn, NewStudents) else 500
    assert best.learn_best(n) > drawn.learn_from(teacher, n)


@pytest.mark.parametrize("name", IDS)
def test_checkers_find_nothing(name):
    assert check_task_env(MakeEnv(f"teachenv/{name}-v0")) == []
    check_env(gym.make(f"teachenv/{name}-v0").unwrapped)


@pytest.mark.parametrize("name", [*IDS, "SkillGrid"])
def test_a_seeded_reset_fixes_everything_that_follows(name):
    kwargs = {"noise": 0.5} if name == "UnlearnableBox" else {}
    env = gym.make(f"teachenv/{name}-v0", **kwargs)
    plays = []
    for _ in range(2):
        env.reset(seed=5)
        rng = np.random.default_rng(0)
        rewards = []
        for _ in range(50):
            env.reset(options={"task": env.unwrapped.task_space.sample(rng)})
            rewards.append(env.step(0)[1])
        plays.append(rewards)
    assert plays[0] == plays[1]


def test_teachers_are_told_what_was_played():
    class Listener:
        needs = frozenset({"value_start"})

        def __init__(self, space):
            self.inner = teachers.make("uniform", space)
            self.told = []

        def ask(self):
            return self.inner.ask()

        def tell(self, trial, outcome):
            self.told.append(outcome)
            self.inner.tell(trial, outcome)

    learner = SkillGrid(n_cells=1)
    listener = Listener(learner.task_space)
    assert learner.learn_from(listener, 80) == 1.0
    assert listener.told[75] == Outcome(0.76, 0.76, 1, True, signals=learner_signals(0.75, 0.76))


def learner_signals(value, score):
    gain = score - value
    return {
        "value_start": value,
        "value_mean": value,
        "positive_value_loss": gain,
        "value_l1": gain,
        "max_monte_carlo": gain,
    }


# -- forgetting ------------------------------------------------------------------------------


def test_a_skill_fades_by_a_point_in_memory_episodes():
    learner = Forgetting(n_dims=1, n_cells=2, memory=50)
    first, second = np.array([0.2]), np.array([0.8])
    for _ in range(80):
        learner.play(first)
    for _ in range(50):
        learner.play(second, train=False)
    assert learner.play(first)[0] == pytest.approx(0.80)


def test_practice_itself_costs_nothing():
    learner = Forgetting(n_cells=2, memory=4)
    scores = [learner.play(np.zeros(2))[0] for _ in range(100)]
    np.testing.assert_allclose(scores, np.arange(1, 101) / 100)


def test_a_forgotten_skill_locks_what_comes_after_it():
    learner = Forgetting(n_dims=1, n_cells=2, memory=2)
    first, second = np.array([0.2]), np.array([0.8])
    for _ in range(76):
        learner.play(first)
    assert learner.mastered_share == 0.5
    gains = [learner.play(second)[0] for _ in range(6)]
    assert gains[1] == pytest.approx(0.02)
    assert gains[5] < gains[2]  # the first is below 75 by now
    assert learner.mastered_share == 0.0


def test_the_best_curriculum_takes_as_long_as_predicted_and_keeps_everything():
    learner, memory = Forgetting(n_cells=5, memory=100), 100
    predicted = -76 * memory * math.log(1 - 25 / memory)
    episodes = 0
    while learner.mastered_share < 1.0:
        learner.play(learner.best_task())
        episodes += 1
    assert episodes == pytest.approx(predicted, rel=0.05)
    assert min(learner.learn_best(1) for _ in range(1000)) == 1.0


def test_more_cells_than_can_be_kept_are_refused():
    with pytest.raises(ValueError, match=r"at least one episode per cell \(25\), got 24"):
        Forgetting(n_cells=5, memory=24)


# -- stepping stones -------------------------------------------------------------------------


def test_dead_ends_stop_half_way_and_open_nothing():
    learner = SteppingStones(["Sxo", "o#o", "ooo"])
    start, dead, behind = np.array([0.1, 0.1]), np.array([0.1, 0.5]), np.array([0.1, 0.9])
    for _ in range(80):
        learner.play(start)
    assert [learner.play(dead)[0] for _ in range(60)][-1] == 0.5
    assert learner.play(behind)[0] == 0.0
    assert learner.mastered_share == 1 / 7
    assert learner.play(np.array([0.5, 0.1]))[0] == 0.01


def test_what_is_out_of_reach_scores_nothing():
    learner = SteppingStones(["S#"])
    assert [learner.play(np.array([0.5, 0.9]))[0] for _ in range(5)] == [0.0] * 5
    assert learner.learn_best(76) == 1.0


def test_the_path_follows_the_map():
    learner = SteppingStones()
    assert learner.learn_best(76 * 20) == 1.0
    rows, columns = [], []
    learner.restart()
    for _ in range(20):
        row, column = learner.best_task() * [5, 8]
        rows.append(int(row))
        columns.append(int(column))
        learner.learn_best(76)
    assert rows == [0] * 7 + [1] + [2] * 5 + [3] + [4] * 6
    assert columns == [0, 1, 2, 3, 4, 5, 6, 6, 6, 5, 4, 3, 2, 2, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("stones", "message"),
    [
        ([], "rows of one length"),
        (["So", "o"], "rows of one length"),
        (["Soz"], r"only the letters .* \['z'\]"),
        (["ooo"], "exactly one 'S'"),
        (["S#o"], "1 of them cannot be reached"),
    ],
)
def test_bad_maps_are_refused(stones, message):
    with pytest.raises(ValueError, match=message):
        SteppingStones(stones)


# -- unlearnable box -------------------------------------------------------------------------


@pytest.mark.parametrize("learnable", [0.1, 0.5, 1.0])
def test_as_much_can_be_learnt_as_was_said(learnable):
    learner = UnlearnableBox(n_cells=1, learnable=learnable)
    rng = np.random.default_rng(0)
    share = np.mean([learner.play(rng.random(2))[0] > 0 for _ in range(4000)])
    assert share == pytest.approx(learnable, abs=0.02)


def test_noise_looks_like_scores_and_teaches_nothing():
    learner = UnlearnableBox(noise=0.4, seed=1)
    scores = np.array([learner.play(np.zeros(2))[0] for _ in range(2000)])
    assert scores.min() >= 0
    assert 0.38 < scores.max() <= 0.4
    assert scores.mean() == pytest.approx(0.2, abs=0.01)
    assert learner.signals()["value_start"] == 0.2
    assert learner.mastered_share == 0.0
    learner.restart()
    assert [learner.play(np.zeros(2))[0] for _ in range(5)] == scores[:5].tolist()
    learner.restart(seed=2)
    assert learner.play(np.zeros(2))[0] != scores[0]


@pytest.mark.parametrize("args", [{"learnable": 0.0}, {"learnable": 1.5}, {"noise": 0.8}])
def test_bad_shares_are_refused(args):
    with pytest.raises(ValueError, match=f"{next(iter(args))}: expected a number in"):
        UnlearnableBox(**args)
