"""Corrected probabilities: against scikit-learn, and by what must not change."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression

from home_tf.errors import HomeError
from home_tf.evaluation import auc, calibration, fit_calibrators, log_loss


@pytest.fixture
def skewed():
    """Labels, and probabilities that are too high, the more so the rarer a positive."""
    random = np.random.default_rng(0)
    logits = random.normal(-3, 1.5, 20_000)
    labels = (random.random(20_000) < expit(logits)) * 1.0
    return labels, expit(0.6 * logits + 1.0)


def fit(labels, probabilities, method):
    found = fit_calibrators({"click": labels}, {"click": probabilities}, method)
    return found["click"]


def test_platt_is_that_of_scikit_learn(skewed):
    labels, probabilities = skewed
    found = fit(labels, probabilities, "platt")
    # Which has the sign of both turned round.
    a, b = _sigmoid_calibration(logit(probabilities), labels)
    assert found.slopes == pytest.approx((-a,), rel=1e-3)
    assert found.intercepts == pytest.approx((-b,), rel=1e-3, abs=1e-3)
    # What made the labels, turned round.
    assert found.slopes[0] == pytest.approx(1 / 0.6, rel=0.05)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibrated_probabilities_fit_rows_that_were_not_fitted_on(skewed, method):
    labels, probabilities = skewed
    found = fit(labels[:10_000], probabilities[:10_000], method)
    rest, before = labels[10_000:], probabilities[10_000:]
    after = found.of_probabilities(before)
    assert calibration(rest, before) > 2
    assert calibration(rest, after) == pytest.approx(1, abs=0.1)
    assert log_loss(rest, after) < log_loss(rest, before)
    assert auc(rest, after) == auc(rest, before)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_order_stays_for_all_logits(skewed, method):
    found = fit(*skewed, method)
    x = np.linspace(-30, 30, 10_001)
    assert (np.diff(found(x)) > 0).all()


def test_isotonic_passes_through_the_steps_of_scikit_learn(skewed):
    labels, probabilities = skewed
    found = fit(labels, probabilities, "isotonic")
    steps = IsotonicRegression().fit_transform(logit(probabilities), labels)
    inside = (steps > 0) & (steps < 1)
    difference = np.abs(found.of_probabilities(probabilities) - steps)[inside]
    # Lines between the middles of the steps are near the steps where there are rows.
    assert difference.mean() < 0.005
    assert len(found.knots) > 10
    assert list(found.knots) == sorted(set(found.knots))


def test_isotonic_is_a_line_for_a_rare_task():
    random = np.random.default_rng(0)
    probabilities = random.random(5000) * 0.02
    labels = np.zeros(5000)
    labels[np.argsort(probabilities)[-200::4]] = 1.0
    found = fit(labels, probabilities, "isotonic")
    assert (found.method, found.knots) == ("platt", ())


def test_a_few_positives_that_are_apart_give_a_finite_line():
    probabilities = np.array([0.01, 0.02, 0.03, 0.04, 0.5])
    found = fit([0, 0, 0, 0, 1], probabilities, "platt")
    assert 0 < found.slopes[0] < 10


def test_a_model_worse_than_chance_keeps_its_order_and_gets_the_rate():
    random = np.random.default_rng(0)
    probabilities = random.random(2000)
    labels = (random.random(2000) < 0.3 * (1 - probabilities)) * 1.0
    found = fit(labels, probabilities, "platt")
    assert found.slopes == (1.0,)
    after = found.of_probabilities(probabilities)
    assert calibration(labels, after) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_without_both_classes_nothing_changes(label):
    found = fit(np.full(9, label), np.linspace(0.1, 0.9, 9), "isotonic")
    np.testing.assert_allclose(found([-3.0, 0.0, 3.0]), [-3.0, 0.0, 3.0])


def test_rows_without_a_label_are_left_out(skewed):
    labels, probabilities = skewed
    expected = fit(labels, probabilities, "isotonic")
    more = np.concatenate([labels, np.full(500, np.nan)])
    found = fit(more, np.concatenate([probabilities, np.full(500, 0.9)]), "isotonic")
    assert found == expected


def test_probabilities_of_zero_and_one_stay_finite(skewed):
    labels, probabilities = skewed
    found = fit(labels, probabilities, "isotonic").of_probabilities([0.0, 1.0])
    assert 0 < found[0] < found[1] < 1


def test_scores_that_are_not_numbers_are_told():
    with pytest.raises(HomeError, match="must not be NaN"):
        fit([0, 1], [0.5, np.nan], "platt")
