"""ALP-GMM and its parts: progress by the nearest task, mixture fits, sampling, presets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import threadpoolctl
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.alp_gmm import AlpGmm
from teachers.base import TeacherWarning
from teachers.em import fit_mixture, kmeans
from teachers.mixture import Mixture, fit_best, information, one_thread
from teachers.nearest import NearestProgress

SQUARE = TaskSpace([Dim("x"), Dim("y")])


def make(**hyper):
    return teachers.make("alp-gmm", SQUARE, **hyper)


def play(teacher, n, score):
    """Tell ``n`` outcomes; ``score(i, unit point)``. Returns the trials."""
    trials = []
    for i in range(n):
        trial = teacher.ask()
        value = score(i, teacher.space.to_unit(trial.task))
        teacher.tell(trial, Outcome(value, value, 1, False))
        trials.append(trial)
    return trials


# -- progress --------------------------------------------------------------------------------


def test_progress_starts_with_the_seventh_task_and_takes_the_nearest():
    progress = NearestProgress(1, 10)
    points = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert [progress.add(np.array([p]), p) for p in points] == [0.0] * 6
    assert progress.add(np.array([0.55]), 0.9) == pytest.approx(0.3)
    assert progress.add(np.array([0.56]), 0.1) == pytest.approx(0.8)


def test_the_latest_of_equally_near_tasks_counts():
    progress = NearestProgress(2, 10)
    for score in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        progress.add(np.array([0.5, 0.5]), score)
    assert progress.add(np.array([0.5, 0.5]), 0.9) == pytest.approx(0.3)


def test_nearest_search_equals_the_definition_over_several_windows():
    rng = np.random.default_rng(0)
    window, progress, stored = 20, NearestProgress(3, 20), []
    for i in range(150):
        point, score = np.round(rng.random(3), 1), float(rng.random())
        expected = 0.0
        if len(stored) > 5:
            distances = [((p - point) ** 2).sum() for p, _ in stored]
            nearest = max(j for j, d in enumerate(distances) if d == min(distances))
            expected = abs(score - stored[nearest][1])
        assert progress.add(point, score) == expected
        stored = [*stored, (point, score)][-window:]
        assert len(progress) == min(i + 1, window)
    points, _ = progress.last(7)
    np.testing.assert_array_equal(points, [p for p, _ in stored[-7:]])


# -- fitting ---------------------------------------------------------------------------------


def test_information_criteria_count_every_free_parameter():
    rng = np.random.default_rng(0)
    vectors = rng.random((100, 3))
    model = GaussianMixture(2, random_state=0).fit(vectors)
    log_likelihood = 100 * model.score(vectors)
    assert information(log_likelihood, 2, 100, 3, "aic") == pytest.approx(model.aic(vectors))
    assert information(log_likelihood, 2, 100, 3, "bic") == pytest.approx(model.bic(vectors))
    # Two Gaussians in 3 dimensions: 2 * 6 covariances + 2 * 3 means + 1 weight = 19.
    assert information(0.0, 2, 100, 3, "aicc") == pytest.approx(38 + 2 * 19 * 20 / 80)
    assert information(0.0, 2, 20, 3, "aicc") == np.inf


def test_the_number_of_clusters_is_found_up_to_and_including_the_largest():
    rng = np.random.default_rng(0)
    centres = np.array([[0.1, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.9, 0.5], [0.9, 0.9, 0.5]])
    vectors = np.repeat(centres, 60, axis=0) + 0.01 * rng.standard_normal((240, 3))
    found = fit_best(vectors, range(2, 5), "bic", rng)
    assert found is not None
    means, _ = found
    assert len(means) == 4
    for centre in centres:
        assert np.abs(means - centre).max(axis=1).min() < 0.01


def test_each_fit_has_a_fresh_seed(monkeypatch):
    drawn = []

    def recording(vectors, k, rng):
        drawn.append(rng.random())
        return fit_mixture(vectors, k, rng)

    monkeypatch.setattr("teachers.mixture.fit_mixture", recording)
    rng = np.random.default_rng(0)
    for _ in range(3):
        fit_best(rng.random((30, 2)), range(2, 5), "aic", rng)
    assert len(set(drawn)) == 9


def test_a_single_component_has_the_mean_and_covariance_of_the_vectors():
    rng = np.random.default_rng(0)
    vectors = rng.random((50, 3))
    means, covariances, log_likelihood = fit_mixture(vectors, 1, rng)
    np.testing.assert_allclose(means[0], vectors.mean(axis=0))
    expected = np.cov(vectors.T, bias=True) + 1e-6 * np.eye(3)
    np.testing.assert_allclose(covariances[0], expected)
    density = multivariate_normal(means[0], covariances[0])
    assert log_likelihood == pytest.approx(density.logpdf(vectors).sum())


def test_fits_are_those_of_scikit_learn():
    """The same mixture where there is one to find, as good ones on average where not."""
    rng = np.random.default_rng(0)
    centres = rng.random((4, 3))
    clear = np.repeat(centres, 60, axis=0) + 0.01 * rng.standard_normal((240, 3))
    model = GaussianMixture(4, n_init=3, random_state=0).fit(clear)
    means, covariances, log_likelihood = fit_mixture(clear, 4, rng)
    order = [int(((means - mean) ** 2).sum(axis=1).argmin()) for mean in model.means_]
    np.testing.assert_allclose(means[order], model.means_, atol=1e-5)
    np.testing.assert_allclose(covariances[order], model.covariances_, atol=1e-6)
    assert log_likelihood / 240 == pytest.approx(model.score(clear), abs=1e-4)
    gains = []
    for seed in range(20):
        vectors = rng.random((200, 3)) * [1.0, 1.0, rng.random()]
        theirs = GaussianMixture(5, random_state=seed).fit(vectors).score(vectors)
        gains.append(fit_mixture(vectors, 5, rng)[2] / 200 - theirs)
    assert abs(np.mean(gains)) < 3 * np.std(gains) / np.sqrt(20) + 0.005


def test_clusters_are_never_empty_and_nearest_to_their_centres():
    rng = np.random.default_rng(0)
    for k in (1, 2, 7, 30):
        vectors = np.round(rng.random((60, 2)), 1)
        labels = kmeans(vectors, k, rng)
        assert set(labels.tolist()) == set(range(k))
    two = np.array([[0.0, 0.0]] * 20 + [[1.0, 1.0]])
    labels = kmeans(two, 2, rng)
    assert set(labels[:-1]) == {labels[0]} != {labels[-1]}


def test_degenerate_vectors_give_no_warning_and_no_crash():
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_best(np.full((30, 3), 0.5), range(2, 5), "aic", rng) is None
        two_points = np.repeat([[0.1, 0.2], [0.8, 0.9]], 15, axis=0)
        found = fit_best(two_points, range(2, 5), "aic", rng)
    assert found is not None
    assert found[0].shape == (2, 2)


def test_fits_run_on_one_thread():
    with one_thread():
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} <= {1}


def test_mixture_samples_follow_weights_means_and_covariances():
    covariance = np.array([[0.002, 0.001], [0.001, 0.003]])
    means = np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.9]])
    mixture = Mixture(means, np.stack([covariance] * 3), np.array([0.3, 0.1, 0.0]))
    rng = np.random.default_rng(0)
    drawn = [mixture.sample(rng) for _ in range(20_000)]
    chosen = np.array([i for _, i in drawn])
    np.testing.assert_allclose(
        np.bincount(chosen, minlength=3) / 20_000, [0.75, 0.25, 0], atol=0.02
    )
    first = np.array([point for point, i in drawn if i == 0])
    np.testing.assert_allclose(first.mean(axis=0), means[0], atol=0.005)
    np.testing.assert_allclose(np.cov(first.T), covariance, rtol=0.1)


def test_nothing_of_interest_makes_every_component_equally_likely():
    mixture = Mixture(np.full((4, 1), 0.5), np.full((4, 1, 1), 0.01), np.zeros(4))
    np.testing.assert_array_equal(mixture.weights, 0.25)


# -- the teacher -----------------------------------------------------------------------------


def flicker(i, point):
    """Scores that move only where x > 0.5."""
    return float(point[0] > 0.5) * (i % 2)


def test_reasons_and_shares_after_the_bootstrap():
    teacher = AlpGmm(SQUARE, seed=1, fit_rate=100, max_k=3)
    trials = play(teacher, 100, flicker)
    assert {trial.reason for trial in trials} == {"bootstrap"}
    reasons = [teacher.ask().reason for _ in range(4000)]
    assert reasons.count("explore") / 4000 == pytest.approx(0.2, abs=0.03)
    weights = teacher.describe()["mixture"]["weights"]
    for i, weight in enumerate(weights):
        share = reasons.count(f"component {i}") / 4000
        assert share == pytest.approx(0.8 * weight, abs=0.03)


def test_tasks_go_where_the_progress_is():
    teacher = AlpGmm(SQUARE, seed=0, fit_rate=100, random_task_ratio=0.0)
    play(teacher, 300, flicker)
    units = [SQUARE.to_unit(teacher.ask().task) for _ in range(500)]
    assert np.mean([u[0] > 0.45 for u in units]) > 0.9


def test_describe_shows_the_mixture():
    teacher = AlpGmm(SQUARE, seed=0, fit_rate=60, min_k=4, max_k=4)
    assert teacher.describe()["mixture"] is None
    play(teacher, 60, flicker)
    text = teacher.describe()
    assert (text["n_fits"], text["n_failed_fits"]) == (1, 0)
    shapes = {name: array.shape for name, array in text["mixture"].items()}
    assert shapes == {"means": (4, 2), "covariances": (4, 2, 2), "weights": (4,), "interest": (4,)}
    np.testing.assert_allclose(
        text["mixture"]["weights"],
        text["mixture"]["interest"] / text["mixture"]["interest"].sum(),
    )


def test_a_window_without_progress_is_counted_said_once_and_drawn_uniformly():
    teacher = AlpGmm(SQUARE, seed=0, fit_rate=50)
    with pytest.warns(TeacherWarning, match="uniformly") as said:
        play(teacher, 150, lambda i, u: 0.5)
    assert len(said) == 1
    assert teacher.describe()["n_failed_fits"] == 3
    assert teacher.ask().reason == "no mixture"
    play(teacher, 50, flicker)
    assert teacher.describe()["n_fits"] == 1


def test_too_few_outcomes_for_the_criterion_count_as_a_failed_fit():
    teacher = AlpGmm(SQUARE, fit_rate=10, min_k=3, max_k=3, criterion="aicc")
    with pytest.warns(TeacherWarning):
        play(teacher, 10, flicker)
    assert teacher.describe()["n_failed_fits"] == 1


def test_presets_are_the_published_ones_and_can_be_changed_one_by_one():
    names = ("fit_rate", "min_k", "max_k", "random_task_ratio")
    ours = [tuple(hyper[name] for name in names) for hyper in teachers.presets("alp-gmm").values()]
    assert ours == [(250, 2, 10, 0.2), (150, 2, 9, 0.05)]
    assert AlpGmm(SQUARE).settings == make(preset="teachdeeprl").settings
    settings = make(preset="teachmyagent", max_k=5, random_task_ratio=0.0).settings
    assert (settings.fit_rate, settings.max_k, settings.random_task_ratio) == (150, 5, 0.0)


def test_raw_returns_are_learnt_from_where_parity_asks_for_it():
    said = {}
    for raw in (False, True):
        teacher = make(fit_rate=60, max_k=2, raw_returns=raw)
        for i in range(60):
            trial = teacher.ask()
            score = flicker(i, SQUARE.to_unit(trial.task))
            teacher.tell(trial, Outcome(score, 500.0 * score - 150.0, 1, False))
        said[raw] = teacher.describe()["mixture"]["interest"].sum()
    assert said[False] < 2.0
    assert said[True] > 50.0


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"preset": "teachdeep"}, "did you mean 'teachdeeprl'"),
        ({"fit_rate": 0, "random_task_ratio": 2}, r"fit_rate: .*got 0; random_task_ratio: .*got 2"),
        ({"fit_rate": 2.5}, "fit_rate: expected a whole number"),
        ({"random_task_ratio": float("nan")}, "random_task_ratio: .*got nan"),
        ({"min_k": 5, "max_k": 4}, "min_k <= max_k <= fit_rate"),
        ({"window": 100}, "window: expected a whole number of at least 250"),
        ({"criterion": "AIC"}, "criterion: expected one of .*'aic'"),
    ],
)
def test_bad_hyper_parameters_are_named(hyper, message):
    with pytest.raises(ValueError, match=message):
        make(**hyper)
