"""Bandits: arms, gains, every policy's update by hand, progress that moves."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypercubes import Hypercubes

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.arms import GAINS, Arms, Gains, Rescaler, best, draw
from teachers.bandits import BanditTeacher
from teachers.base import Pick
from teachers.exp3s import Exp3s
from teachers.lp_bins import LpBins, focus
from teachers.thompson import Thompson
from teachers.tscl_naive import TsclNaive
from teachers.tscl_online import TsclOnline
from teachers.tscl_sampling import TsclSampling
from teachers.tscl_slopes import slope
from teachers.tscl_window import TsclWindow
from teachers.ucb import SlidingUcb, Ucb

BANDITS = sorted(
    id for id in teachers.TEACHERS if issubclass(teachers.teacher_class(id), BanditTeacher)
)
PLANE = TaskSpace([Dim("x"), Dim("y", -1.0, 3.0)])


def choices(n):
    return TaskSpace([Dim("kind", kind="choice", choices=tuple(f"kind {i}" for i in range(n)))])


def result(score, **signals):
    return Outcome(score, score, 1, score > 0.75, signals=signals)


def give(teacher, arm, score, probability=1.0):
    """Let an outcome of an arm arrive."""
    teacher._learn(Pick(np.full(1, 0.5), "", note=[arm, probability]), result(score))


def pulls(teacher, n):
    """Which arms the next trials pull."""
    return [int(teacher.ask().task[0]) for _ in range(n)]


# -- arms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "counts"),
    [
        ([Dim("x")], [10]),
        ([Dim("x"), Dim("y")], [10, 10]),
        ([Dim("n", 3, 9, kind="int"), Dim("k", kind="choice", choices=("a", "b"))], [7, 2]),
        ([Dim("n", 0, 10**12, kind="int")], [10]),
        ([Dim("n", 5, 5, kind="int"), Dim("x")], [1, 10]),
        ([Dim(f"x{i}") for i in range(3)], [10] * 3),
        ([Dim(f"x{i}") for i in range(4)], [6, 6, 5, 5]),
        ([Dim(f"x{i}") for i in range(12)], [2] * 9 + [1] * 3),
        ([Dim("n", 0, 999, kind="int"), Dim("x")], [100, 10]),
    ],
)
def test_arms_are_bounded_and_spread_over_the_parameters(dims, counts):
    arms = Arms(TaskSpace(dims), 10, 1000)
    assert arms.counts.tolist() == counts
    assert len(arms) == math.prod(counts) <= 1000


def test_points_of_an_arm_fill_its_cell_and_no_other():
    arms, rng = Arms(PLANE, 3, 1000), np.random.default_rng(0)
    assert len(arms) == 9
    for arm in range(9):
        points = np.array([arms.point(arm, rng) for _ in range(200)])
        cells = np.floor(points * 3)
        assert (cells == cells[0]).all()
        assert cells[0].tolist() == list(divmod(arm, 3))
        assert (np.ptp(points, axis=0) > 0.25).all()


def test_each_value_of_a_whole_parameter_has_an_arm_of_its_own():
    space = TaskSpace([Dim("n", -2, 4, kind="int")])
    arms, rng = Arms(space, 10, 1000), np.random.default_rng(0)
    for arm in range(7):
        values = {float(space.from_unit(arms.point(arm, rng))[0]) for _ in range(50)}
        assert values == {arm - 2.0}


def test_draw_is_in_proportion_and_even_where_nothing_counts():
    rng = np.random.default_rng(0)
    found = Counter(draw(np.array([0.0, 1.0, 3.0, 0.0]), rng) for _ in range(4000))
    assert set(found) == {1, 2}
    assert found[2] / 4000 == pytest.approx(0.75, abs=0.03)
    found = Counter(draw(np.zeros(4), rng) for _ in range(4000))
    assert all(found[i] / 4000 == pytest.approx(0.25, abs=0.03) for i in range(4))
    found = Counter(best(np.array([1.0, 0.0, 1.0]), rng) for _ in range(4000))
    assert found[0] / 4000 == pytest.approx(0.5, abs=0.03)
    assert set(found) == {0, 2}


# -- gains ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lp", [None, 0.5, None, -0.25]),
        ("alp", [None, 0.5, None, 0.25]),
        ("success", [None, 0.1, None, -0.01]),  # rates: 0, then 0.1, then 0.09
        ("prediction", [None, 1.5, None, -0.5]),
    ],
)
def test_gains_compare_with_the_outcome_before_on_the_same_arm(kind, expected):
    gains = Gains(kind, 3)
    history = [(0, 0.3, 4.0), (0, 0.8, 2.5), (2, 0.1, 9.0), (0, 0.55, 3.0)]
    found = [gains.add(arm, result(score, value_l1=loss)) for arm, score, loss in history]
    assert [g is None for g in found] == [e is None for e in expected]
    assert found[1] == pytest.approx(expected[1])
    assert found[3] == pytest.approx(expected[3])


def test_only_prediction_gain_needs_a_signal():
    needs = {kind: teachers.make("thompson", PLANE, gain=kind).needs for kind in GAINS}
    assert needs.pop("prediction") == {"value_l1"}
    assert set(needs.values()) == {frozenset()}


def test_gains_are_rescaled_by_the_percentiles_of_the_latest():
    rescaler = Rescaler(window=6)
    for gain in (0.0, 1.0, 2.0, 3.0, 4.0):
        rescaler.add(gain)
    # 0 1 2 2 3 4: the 20th percentile is 1, the 80th is 3.
    assert rescaler.add(2.0) == pytest.approx(0.0)
    # The oldest (0) goes: 1 1.5 2 2 3 4, from 1.5 to 3.
    assert rescaler.add(1.5) == pytest.approx(-1.0)
    assert rescaler.add(9.0) == 1.0
    state = rescaler.state_dict()
    other = Rescaler(window=6)
    other.load_state_dict(state)
    assert [other.add(g) for g in (2.5, 0.3)] == [rescaler.add(g) for g in (2.5, 0.3)]


def test_the_gain_that_is_forgotten_is_the_oldest():
    rescaler = Rescaler(window=3)
    for gain in (5.0, 1.0, 3.0):
        rescaler.add(gain)
    assert rescaler.add(2.0) == pytest.approx(0.0)  # among 1 2 3


def test_gains_that_are_nearly_all_zero_still_tell_up_from_down():
    rescaler = Rescaler()
    for _ in range(50):
        assert rescaler.add(0.0) == 0.0
    assert rescaler.add(1e-9) == 1.0
    assert rescaler.add(-1e-9) == -1.0


# -- EXP3.S --------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.2, None])
def test_exp3s_weights_equal_the_hand_worked_case(share):
    teacher = Exp3s(choices(3), gain="lp", eta=0.5, epsilon=0.3, share=share)
    assert teacher._weights() == pytest.approx([1 / 3] * 3)
    give(teacher, 1, 0.2)  # no gain yet
    give(teacher, 1, 0.4, probability=0.25)  # the only gain: rescaled to 0
    weights = np.ones(3)
    assert teacher._weights() == pytest.approx([1 / 3] * 3)
    give(teacher, 1, 0.9, probability=0.25)  # above all others: rescaled to 1
    weights[1] *= math.exp(0.5 * 1.0 / 0.25)
    a = 1 / 3 if share is None else share  # the second gain makes the third weights
    weights = [(1 - a) * w + a / 2 * (sum(weights) - w) for w in weights]
    expected = [0.7 * w / sum(weights) + 0.3 / 3 for w in weights]
    assert teacher._weights() == pytest.approx(expected, rel=1e-9)


def test_exp3s_takes_the_probability_of_the_pull_however_late_the_outcome():
    teacher = Exp3s(choices(2), eta=0.5, epsilon=0.2)
    first = teacher.ask()
    assert teacher._outstanding[first.id].note[1] == pytest.approx(0.5)
    for score in (0.0, 0.1, 0.3, 0.9):
        give(teacher, 0, score)
    assert teacher._weights()[0] > 0.6
    assert teacher._outstanding[first.id].note[1] == pytest.approx(0.5)


def test_exp3s_keeps_finite_weights_after_enormous_rewards():
    teacher = Exp3s(choices(4), eta=1e6, share=0.0)
    for i in range(50):
        give(teacher, i % 2, (i // 2) % 2, probability=1e-6)
    weights = teacher._weights()
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0.1 / 4


# -- upper confidence bounds ---------------------------------------------------------------


def test_ucb_bounds_equal_the_hand_worked_case():
    teacher = Ucb(choices(3), gain="lp", exploration=2.0)
    assert sorted(pulls(teacher, 3)) == [0, 1, 2]
    teacher._pulls[:] = [4, 2, 1]
    teacher._rewards[:], teacher._sums[:] = [3, 1, 0], [1.5, 1.0, 0.0]
    means = [0.5, 1.0, 1.0]  # no reward yet: taken for the best
    expected = [m + math.sqrt(2 * math.log(7) / n) for m, n in zip(means, (4, 2, 1), strict=True)]
    assert teacher._bounds() == pytest.approx(expected)
    assert pulls(teacher, 1) == [2]


def test_ucb_spreads_trials_that_are_outstanding():
    teacher = SlidingUcb(choices(10))
    assert sorted(pulls(teacher, 10)) == list(range(10))
    assert Counter(pulls(teacher, 90)) == dict.fromkeys(range(10), 9)


def test_sliding_ucb_counts_only_the_window():
    teacher = SlidingUcb(choices(2), gain="lp", exploration=0.6, window=4)
    for arm, reward in [(0, 1.0), (0, 0.5), (1, 0.25), (1, 0.75), (1, 0.5)]:
        teacher._add_reward(arm, reward)
    assert teacher._values() == pytest.approx([0.5, 0.5])
    assert teacher._rewards.tolist() == [1, 3]
    teacher._add_reward(1, 0.0)
    assert teacher._sums.tolist() == [0.0, 1.5]
    assert teacher._values() == pytest.approx([1.0, 0.375])
    pulled = pulls(teacher, 11)
    assert teacher._pulls.tolist() == [pulled[-4:].count(0), pulled[-4:].count(1)]
    bonus = [math.sqrt(0.6 * math.log(4) / n) if n else math.inf for n in teacher._pulls]
    assert teacher._bounds() == pytest.approx([1.0 + bonus[0], 0.375 + bonus[1]])


# -- Thompson sampling ---------------------------------------------------------------------


def test_thompson_beliefs_equal_the_hand_worked_case():
    teacher = Thompson(choices(3), gain="lp", memory=2.0)  # halves at every gain
    for arm, score in [(0, 0.0), (1, 0.0), (0, 0.4), (1, 0.2), (0, 0.2)]:
        give(teacher, arm, score)
    # Gains 0.4, 0.2, -0.2; weights 1/4, 1/2, 1.
    total, mean = 1.75, (0.1 + 0.1 - 0.2) / 1.75
    variance = (0.25 * 0.16 + 0.5 * 0.04 + 0.04) / total - mean**2
    means, deviations = teacher.beliefs()
    assert means == pytest.approx([(0.1 - 0.2 + mean) / 2.25, (0.1 + mean) / 1.5, mean])
    assert deviations == pytest.approx([math.sqrt(variance / n) for n in (2.25, 1.5, 1.0)])


def test_thompson_pulls_an_arm_as_often_as_it_is_believed_to_be_the_best():
    teacher = Thompson(choices(2), seed=1)
    teacher._sums[:] = [[3.0, 0.0], [0.6, 0.0], [0.15, 0.0]]  # count, sum, squares
    (m0, m1), (d0, d1) = teacher.beliefs()
    first_better = 0.5 * (1 + math.erf((m0 - m1) / math.hypot(d0, d1) / math.sqrt(2)))
    assert 0.2 < first_better < 0.8
    assert pulls(teacher, 4000).count(0) / 4000 == pytest.approx(first_better, abs=0.03)


# -- TSCL ----------------------------------------------------------------------------------


def test_tscl_online_follows_the_change_of_the_score():
    teacher = TsclOnline(choices(3), rate=0.1, epsilon=0.3)
    for arm, score in [(0, 0.5), (0, 0.7), (1, 0.9), (1, 0.4), (0, 0.7)]:
        give(teacher, arm, score)
    assert teacher._q == pytest.approx([0.9 * 0.02, -0.05, 0.0])
    # What is being forgotten has the largest |Q|.
    assert teacher._weights() == pytest.approx([0.1, 0.7 + 0.1, 0.1])
    assert pulls(teacher, 4000).count(1) / 4000 == pytest.approx(0.8, abs=0.03)
    signed = TsclOnline(choices(3), epsilon=0.0, absolute=False)
    signed._q = teacher._q
    assert set(pulls(signed, 50)) == {0}


def test_tscl_online_draws_from_a_boltzmann_distribution():
    teacher = TsclOnline(choices(3), policy="boltzmann", temperature=0.5)
    teacher._q[:] = [0.0, -0.5, 1.0]
    expected = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    assert teacher._weights() == pytest.approx(expected)
    found = Counter(pulls(teacher, 4000))
    assert [found[i] / 4000 for i in range(3)] == pytest.approx(expected, abs=0.03)


def test_slope_is_that_of_the_least_squares_line():
    times, scores = np.array([1.0, 2.0, 5.0, 9.0]), np.array([0.1, 0.4, 0.3, 0.9])
    assert slope(times, scores) == pytest.approx(np.polyfit(times, scores, 1)[0])


def test_tscl_naive_practises_an_arm_several_times_and_takes_the_slope():
    teacher = TsclNaive(choices(4), window=4, rate=0.5, epsilon=0.0)
    trials = [teacher.ask() for _ in range(4)]
    arm = int(trials[0].task[0])
    assert {int(t.task[0]) for t in trials} == {arm}
    for trial, score in zip(trials, (0.1, 0.2, 0.3, 0.4), strict=True):
        assert not teacher._q.any()
        teacher.tell(trial, result(score))
    assert teacher._q[arm] == pytest.approx(0.5 * 0.1)
    assert set(pulls(teacher, 8)) == {arm}


def test_tscl_naive_makes_up_for_lost_scores():
    teacher = TsclNaive(choices(4), window=2, epsilon=0.0)
    first, second = teacher.ask(), teacher.ask()
    teacher.tell(first, Outcome.lost())
    teacher.tell(second, result(0.5))
    arm = int(first.task[0])
    assert not teacher._q.any()
    give(teacher, arm, 0.9)
    assert teacher._q[arm] == pytest.approx(0.1 * 0.4)


@pytest.mark.parametrize("cls", [TsclNaive, TsclWindow])
def test_scores_of_another_window_are_refused(cls):
    state = cls(choices(2), window=3).state_dict()
    with pytest.raises(ValueError, match=r"scores: expected shape \(2, 4\), got \(2, 3\)"):
        cls(choices(2), window=4).load_state_dict(state)


def test_tscl_window_takes_the_slope_over_the_time_of_all_outcomes():
    teacher = TsclWindow(choices(2), window=3, rate=1.0)
    assert teacher._values().tolist() == [1.0, 1.0]  # nothing known: the largest there can be
    scores = {0: [0.5, 0.6, 0.9, 0.7], 1: [0.2, 0.1]}
    for arm in (0, 1, 0, 0, 1, 0):
        trial = teacher.ask()
        while int(trial.task[0]) != arm:
            teacher.tell(trial, Outcome.lost())
            trial = teacher.ask()
        teacher.tell(trial, result(scores[arm].pop(0)))
    # Arm 0 was told at times 1, 3, 4, 6, arm 1 at 2 and 5; the last three count.
    assert teacher._q[0] == pytest.approx(np.polyfit([3, 4, 6], [0.6, 0.9, 0.7], 1)[0])
    assert teacher._q[1] == pytest.approx(-0.1 / 3)
    assert teacher._values() == pytest.approx(np.abs(teacher._q))


def test_tscl_sampling_pulls_the_arm_whose_drawn_gain_is_the_largest():
    teacher = TsclSampling(choices(3), window=2, seed=3)
    for arm, score in [(0, 0.5), (1, 0.5), (2, 0.5)]:
        give(teacher, arm, score)
    assert Counter(pulls(teacher, 3000)).keys() == {0, 1, 2}  # no gains: all count as 1
    for arm, scores in [(0, (0.9, 0.6, 0.4)), (1, (0.75, 0.75)), (2, (0.5, 0.5))]:
        for score in scores:
            give(teacher, arm, score)
    # Gains kept: -0.3 and -0.2; 0.25 and 0; 0 and 0.
    found = Counter(pulls(teacher, 4000))
    # Arm 1 is best when it draws 0.25 and arm 0 draws 0.2.
    assert found[1] / 4000 == pytest.approx(0.25, abs=0.03)
    assert found[0] / 4000 == pytest.approx(0.75, abs=0.03)


def test_tscl_sampling_tries_arms_without_gains_first():
    teacher = TsclSampling(choices(2))
    for score in (0.1, 0.9):
        give(teacher, 0, score)
    assert set(pulls(teacher, 20)) == {1}
    for score in (0.9, 0.1):
        give(teacher, 1, score)
    assert set(pulls(teacher, 200)) == {0, 1}
    signed = TsclSampling(choices(2), absolute=False)
    signed._kept, signed._n_gains = teacher._kept, teacher._n_gains
    assert set(pulls(signed, 20)) == {0}


# -- bidirectional learning progress -------------------------------------------------------


def test_lp_bins_progress_equals_the_hand_worked_case():
    teacher = LpBins(choices(3), rate=0.5, theta=0.1, floor=0.0)
    for score in (0.2, 0.6):
        give(teacher, 0, score)
    give(teacher, 1, 0.7)
    fast = 0.2 + 0.5 * 0.4
    slow = 0.2 + 0.5 * (fast - 0.2)

    def reweighted(p):
        return 0.9 * p / (p + 0.1 * (1 - 2 * p))

    assert teacher._values() == pytest.approx([reweighted(fast) - reweighted(slow), 0.0, 0.0])
    give(teacher, 1, 0.0)  # falling counts as well
    assert teacher._values()[1] > 0.0


def test_lp_bins_probabilities_are_a_sigmoid_of_the_progress():
    progress = np.arange(21) / 100
    # The quantiles are places 18 and 19: 0.5 and 0.95 there, and the slope between them.
    weights = 1 / (1 + np.exp(-math.log(19) / 0.01 * (progress - 0.18)))
    assert weights[18:20] == pytest.approx([0.5, 0.95])
    assert focus(progress) == pytest.approx(weights, rel=1e-6)
    assert focus(np.array([0.1, 0.3, 0.3])).tolist() == [0.0, 1.0, 1.0]
    assert focus(np.array([0.1])).tolist() == [1.0]


def test_lp_bins_pulls_arms_that_move_and_a_share_of_the_others():
    teacher = LpBins(choices(4), explore=0.2)
    assert teacher._weights() == pytest.approx([0.25] * 4)
    for score in (0.1, 0.9):
        give(teacher, 2, score)
    assert teacher._weights() == pytest.approx([0.05, 0.05, 0.85, 0.05])


def test_lp_bins_forgets_what_is_left_of_old_progress():
    stuck, teacher = (LpBins(choices(12), rate=0.5, floor=floor) for floor in (0.0, 0.01))
    for one in (stuck, teacher):
        for arm in range(12):
            give(one, arm, 0.0)
        for _ in range(40):
            give(one, 5, 1.0)
    assert stuck._weights()[5] > 0.8
    assert teacher._weights() == pytest.approx([1 / 12] * 12)


# -- all of them ---------------------------------------------------------------------------


class Wandering:
    """Ten arms of which one is learnt at a time: its score rises and falls, the others' rest."""

    def __init__(self, n=10):
        self.active, self.t = 0, np.zeros(n)

    def play(self, arm):
        if arm == self.active:
            self.t[arm] += 1
        return 0.5 + 0.4 * math.sin(self.t[arm] / 5)


def pulls_of_the_active_arm(teacher, phases=(3, 8, 0), n=900, lanes=4):
    world, shares, waiting = Wandering(), [], []
    for world.active in phases:
        hits = 0
        for i in range(n):
            trial = teacher.ask()
            arm = int(trial.task[0])
            hits += i >= n // 3 and arm == world.active
            waiting.append((trial, arm))
            if len(waiting) > lanes:
                told, arm = waiting.pop(0)
                teacher.tell(told, result(world.play(arm)))
        shares.append(hits / (n - n // 3))
    return shares


@pytest.mark.parametrize(
    ("id", "hyper", "least"),
    [
        ("exp3s", {}, 0.6),
        ("ucb", {}, 0.6),
        ("sliding-ucb", {}, 0.8),
        ("thompson", {"memory": 200.0}, 0.8),
        ("tscl-online", {}, 0.8),
        ("tscl-naive", {"window": 5, "epsilon": 0.3}, 0.5),
        ("tscl-window", {}, 0.8),
        ("tscl-sampling", {}, 0.9),
        ("lp-bins", {"rate": 0.3}, 0.5),
    ],
)
def test_progress_that_moves_is_followed(id, hyper, least):
    shares = pulls_of_the_active_arm(teachers.make(id, choices(10), seed=0, **hyper))
    assert min(shares) > least, shares


@pytest.mark.parametrize("id", BANDITS)
def test_bandits_teach_the_hypercube_student_more_than_chance(id):
    if id == "tscl-naive":
        pytest.skip("repeats whatever it met first; see its docstring")
    space = TaskSpace([Dim("x"), Dim("y")])
    cubes = Hypercubes()
    assert cubes.learn_from(teachers.make(id, space, seed=0), 2500) >= 3.0


@pytest.mark.parametrize("id", BANDITS)
def test_late_outcomes_are_credited_to_the_arm_that_was_pulled(id):
    teacher = teachers.make(id, choices(5), seed=0)
    trials = [teacher.ask() for _ in range(60)]
    told = trials[::-2]
    for trial in told:
        teacher.tell(trial, result(0.1 * trial.task[0]))
    for trial in trials[::2]:
        teacher.tell(trial, replace(Outcome.lost(), status="failed"))
    counts = Counter(int(t.task[0]) for t in told)
    assert teacher.visits.tolist() == [counts[arm] for arm in range(5)]


@pytest.mark.parametrize("id", BANDITS)
def test_bad_hyper_parameters_are_named_together(id):
    with pytest.raises(ValueError, match=rf"{id}: .*bins: .*0.*; max_arms: .*2.5"):
        teachers.make(id, PLANE, bins=0, max_arms=2.5)
    with pytest.raises(ValueError, match=r"max_arms: expected at most 100000, got 1000000"):
        teachers.make(id, PLANE, max_arms=10**6)


def test_policies_name_their_own_bad_hyper_parameters():
    for id, hyper in {
        "exp3s": {"eta": 0.0, "epsilon": 1.5, "share": -1},
        "ucb": {"exploration": -1.0, "gain": "love"},
        "sliding-ucb": {"window": 0},
        "thompson": {"memory": 0.5},
        "tscl-online": {"rate": 0, "policy": "mild", "epsilon": 2, "temperature": 0},
        "tscl-naive": {"window": 1},
        "tscl-window": {"window": 1},
        "tscl-sampling": {"window": 0, "absolute": 1},
        "lp-bins": {"rate": 0, "theta": 0.6, "explore": -1, "floor": 2, "signal": "value_start"},
    }.items():
        with pytest.raises(ValueError, match=id) as refused:
            teachers.make(id, PLANE, **hyper)
        assert all(f"{name}: expected" in str(refused.value) for name in hyper), refused.value


def test_a_state_with_other_arms_is_refused():
    state = Thompson(PLANE, bins=4).state_dict()
    with pytest.raises(ValueError, match="expected 25 arms, got 16"):
        Thompson(PLANE, bins=5).load_state_dict(state)
