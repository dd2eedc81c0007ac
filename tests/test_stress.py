"""Deformed task spaces, on environments and on analytic students."""

import gymnasium as gym
import numpy as np
import pytest
from worlds import POLE

from teachenv import Dim, TaskError, TaskSpace
from teachenv.check import check_task_env
from teachenv.deform import STRESSES, Irrelevant, Padded, Rugged, deform
from teachenv.env import Level, MakeEnv
from teachenv.envs.toy.skill_grid import SkillGrid
from teachenv.envs.toy.stepping_stones import SteppingStones
from teachenv.errors import UserError
from teachenv.stress import NewStudents, Stressed, StressedLearner

STUMPS = TaskSpace([Dim("height", 0.0, 3.0, unit="m"), Dim("spacing", 0.0, 6.0, default=6.0)])
HARDER = {"height": 1, "spacing": -1}
MIXED = TaskSpace(
    [
        Dim("size", 2, 10, kind="int"),
        Dim("speed", -1.0, 1.0),
        Dim("ground", kind="choice", choices=("grass", "ice", "mud")),
    ]
)


def sample(space, n=500, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


# -- task spaces -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["trivial", "unfeasible"])
@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("harder", [HARDER, {"height": 1}])
def test_the_share_said_is_made_up_and_the_rest_as_it_was(ending, share, harder):
    padded = Padded(STUMPS, harder, ending, share)
    places = [(task, padded.place(task)) for task in sample(padded.task_space, 3000)]
    made_up = [place.ending == ending for _, place in places]
    assert np.mean(made_up) == pytest.approx(share, abs=0.03)
    for task, place in places:
        assert STUMPS.contains(place.task)
        assert (place.ending == "real") == STUMPS.contains(task)


def test_ranges_grow_beyond_the_end_that_was_meant():
    low, high = np.array([0.0, 0.0]), np.array([3.0, 6.0])
    trivial = Padded(STUMPS, HARDER, "trivial").task_space
    unfeasible = Padded(STUMPS, HARDER, "unfeasible").task_space
    np.testing.assert_allclose(trivial.low, [-3.0, 0.0])  # easy: low stumps, wide apart
    np.testing.assert_allclose(trivial.high, [3.0, 12.0])
    np.testing.assert_allclose(unfeasible.low, [0.0, -6.0])
    np.testing.assert_allclose(unfeasible.high, [6.0, 6.0])
    assert trivial.default.tolist() == STUMPS.default.tolist() == [low[0], high[1]]


def test_the_paddings_of_teachmyagent_can_be_had():
    assert Padded(STUMPS, {"height": 1}, "trivial", 1 / 2).task_space.low[0] == -3.0
    assert Padded(STUMPS, {"height": 1}, "unfeasible", 2 / 3).task_space.high[0] == pytest.approx(9)


def test_whole_numbers_grow_by_whole_numbers():
    padded = Padded(MIXED, {"size": 1}, "unfeasible", 0.5)
    assert padded.task_space.dims[0].bounds() == "[2, 19]"
    assert padded.place(np.array([11.0, 0.5, 2.0])).ending == "unfeasible"
    assert padded.place(np.array([11.0, 0.5, 2.0])).task.tolist() == [10.0, 0.5, 2.0]


def test_rugged_tasks_are_all_played_each_in_one_place():
    rugged = Rugged(MIXED, n_segments=4, seed=1)
    assert rugged.task_space == MIXED
    assert rugged.harder == {}
    for task in sample(MIXED):
        place = rugged.place(task)
        assert place.ending == "real"
        np.testing.assert_allclose(rugged.show(place.task), task, atol=1e-12)
    sizes = [rugged.place(np.array([size, 0.0, 0.0])).task[0] for size in range(2, 11)]
    assert sorted(sizes) == list(range(2, 11))
    assert sizes != list(range(2, 11))


def test_rugged_moves_segments_as_a_whole():
    rugged = Rugged(TaskSpace([Dim("x", 0.0, 10.0)]), n_segments=5, seed=3)
    starts = [float(rugged.place(np.array([2.0 * k])).task[0]) for k in range(5)]
    assert sorted(starts) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert starts != sorted(starts)
    for k, start in enumerate(starts):
        assert rugged.place(np.array([2.0 * k + 1.7])).task[0] == pytest.approx(start + 1.7)
    assert Rugged(TaskSpace([Dim("x", 0.0, 10.0)]), 5, 3).place(np.array([1.0])) == rugged.place(
        np.array([1.0])
    )


def test_two_segments_always_change_places():
    for seed in range(5):
        assert Rugged(TaskSpace([Dim("x")]), 2, seed).place(np.array([0.1])).task[0] == 0.6


def test_irrelevant_parameters_are_dropped_and_the_others_kept():
    wider = Irrelevant(MIXED, {"size": 1}, 2)
    assert wider.task_space.names == (*MIXED.names, "irrelevant0", "irrelevant1")
    assert wider.harder == {"size": 1}
    for task in sample(wider.task_space, 50):
        assert wider.place(task).task.tolist() == task[:3].tolist()
    again = Irrelevant(wider.task_space, {}, 1)
    assert again.task_space.names[-1] == "irrelevant2"


@pytest.mark.parametrize("stress", STRESSES)
@pytest.mark.parametrize("space", [STUMPS, MIXED], ids=["floats", "mixed"])
def test_every_real_task_is_shown_somewhere(stress, space):
    deformed = deform(stress, space, {space.names[0]: 1})
    for task in sample(space, 200):
        shown = deformed.show(task)
        assert deformed.task_space.contains(shown)
        place = deformed.place(shown)
        assert place.ending == "real"
        np.testing.assert_allclose(place.task, task, atol=1e-12)


@pytest.mark.parametrize(
    ("stress", "harder", "how", "message"),
    [
        ("ruged", {}, {}, "unknown stress 'ruged'.*did you mean 'rugged'"),
        ("mostly-trivial", {}, {}, r"no order of difficulty .*harder=\{'size': 1\}"),
        ("mostly-trivial", {"sise": 1}, {}, "unknown task parameter 'sise'"),
        ("mostly-unfeasible", {"ground": 1}, {}, "ground: choices are not ordered"),
        ("mostly-unfeasible", {"size": 1}, {"share": 1.0}, r"share: expected .*\(0, 1\), got 1.0"),
        ("rugged", {}, {"n_segments": 1}, "n_segments: .*at least 2, got 1"),
        ("irrelevant", {}, {"n_irrelevant": 0}, "n_irrelevant: .*at least 1, got 0"),
        ("irrelevant", {}, {"share": 0.5}, "irrelevant: .*'share'"),
    ],
)
def test_what_does_not_fit_is_refused(stress, harder, how, message):
    with pytest.raises(ValueError, match=message):
        deform(stress, MIXED, harder, **how)


# -- environments ----------------------------------------------------------------------------


def stressed(stress, **how):
    return Stressed(gym.make(POLE), stress, harder={"length": -1}, **how)


@pytest.mark.parametrize(
    ("stress", "how"), [("mostly-trivial", {}), ("mostly-unfeasible", {}), ("rugged", {"seed": 1})]
)
def test_our_checker_finds_nothing(stress, how):
    kwargs = {"env": "teachenv/PointMass-v0", "stress": stress, "how": how}
    recipe = MakeEnv("teachenv/Stressed-v0", kwargs)
    assert check_task_env(recipe, episodes=5) == []


def test_irrelevant_parameters_are_declared_and_do_nothing():
    recipe = MakeEnv("teachenv/Stressed-v0", {"env": POLE, "stress": "irrelevant"})
    env = recipe()
    assert env.get_wrapper_attr("inert") == {"irrelevant0", "irrelevant1"}
    assert check_task_env(recipe, episodes=4) == []


def pushed(env, task):
    """Rewards and last info of an episode in which the cart is always pushed to the left."""
    env.reset(options={"task": task, "level_seed": 3})
    rewards, over = [], False
    while not over:
        _, reward, terminated, truncated, info = env.step(0)
        rewards.append(reward)
        over = terminated or truncated
    return rewards, info


@pytest.mark.parametrize(
    ("stress", "length", "expected"),
    [("mostly-trivial", 3.0, 500.0), ("mostly-unfeasible", -1.0, 0.0)],
)
def test_made_up_tasks_end_as_said_whatever_is_done(stress, length, expected):
    env = stressed(stress)
    nearest = min(2.0, max(0.1, length))
    rewards, info = pushed(env, {"length": length})
    assert env.unwrapped.length == nearest
    assert len(rewards) == len(pushed(gym.make(POLE), {"length": nearest})[0])
    assert rewards[:-1] == [0.0] * (len(rewards) - 1)
    assert rewards[-1] == expected
    assert info["is_success"] == (expected > 400)
    assert info["task"][0] == length


def test_real_tasks_are_played_as_before():
    env, plain = stressed("mostly-unfeasible"), gym.make(POLE)
    options = {"task": {"length": 1.2, "force": 7.0}, "level_seed": 5}
    one, _ = env.reset(options=options)
    two, _ = plain.reset(options=options)
    for _ in range(10):
        np.testing.assert_array_equal(one, two)
        one, *mine = env.step(1)
        two, *others = plain.step(1)
        assert mine[:3] == others[:3]


def test_a_refused_task_changes_nothing():
    env = stressed("mostly-unfeasible")
    env.reset(seed=0, options={"task": {"length": 1.2}})
    with pytest.raises(TaskError, match="length"):
        env.reset(options={"task": {"length": 99.0}})
    assert env.reset()[1]["task"][0] == 1.2
    with pytest.raises(TaskError, match="unknown options"):
        env.reset(options={"tusk": 1})


def test_stress_upon_stress():
    env = Stressed(stressed("mostly-trivial"), "rugged")
    assert env.task_space.high[0] > 2.0
    env = Stressed(env, "irrelevant", n_irrelevant=3)
    assert env.task_space.dim == 5
    env.reset(seed=0, options={"task": env.task_space.high})


def test_an_environment_without_order_is_refused_for_padding():
    with pytest.raises(UserError, match="no order of difficulty is known for length, force"):
        Stressed(gym.make(POLE), "mostly-trivial")


# -- analytic students -----------------------------------------------------------------------


def test_made_up_tasks_score_as_said_and_teach_nothing():
    for stress, expected in (("mostly-trivial", 1.0), ("mostly-unfeasible", 0.0)):
        learner = StressedLearner(SkillGrid(), stress)
        space = learner.task_space
        far = space.low if expected else space.high
        for _ in range(100):
            assert learner.play(far) == (expected, expected == 1.0)
        assert learner.mastered_share == 0.0
        assert learner.signals()["value_start"] == expected
        assert learner.signals()["positive_value_loss"] == 0.0
        assert learner.play(np.zeros(2))[0] == 0.01
        assert learner.signals()["positive_value_loss"] == 0.01


def test_students_without_order_cannot_be_padded():
    with pytest.raises(UserError, match="no order of difficulty"):
        StressedLearner(SteppingStones(), "mostly-trivial")


def test_a_new_student_comes_without_notice():
    learner = NewStudents(SkillGrid(n_cells=1), every=100)
    scores = [learner.play(np.zeros(2))[0] for _ in range(250)]
    assert scores == [i / 100 for i in range(1, 101)] * 2 + [i / 100 for i in range(1, 51)]
    with pytest.raises(ValueError, match="every: expected a whole number of at least 1"):
        NewStudents(SkillGrid(), 0)


def test_a_stressed_track_passes_the_check():
    recipe = MakeEnv(
        "teachenv/Stressed-v0",
        {"env": "teachenv/StumpTracks-v0", "stress": "irrelevant", "backend": "reference"},
    )
    assert check_task_env(recipe, episodes=3) == []


def test_levels_of_a_stressed_track_are_those_that_are_played():
    env = Stressed(gym.make("teachenv/StumpTracks-v0", backend="reference"), "rugged")
    task = env.task_space.grid(3)[5]
    level = env.played(Level(task, 3))
    env.reset(options={"task": task, "level_seed": 3})
    assert np.array_equal(env.unwrapped.task, level.task)
    assert env.fingerprint(Level(task, 3)) == env.unwrapped.fingerprint(level)[:] + b"real"


def test_what_a_student_said_of_a_made_up_task_is_kept_and_ends_with_the_student():
    one, other = (StressedLearner(SkillGrid(1, 4), "mostly-trivial") for _ in range(2))
    rng = np.random.default_rng(0)
    while one.signals()["value_start"] != 1.0:
        one.play(one.task_space.sample(rng))
    other.load_state_dict(one.state_dict())
    assert other.signals() == one.signals()
    one.restart(0)
    assert one.signals()["value_start"] < 1.0
