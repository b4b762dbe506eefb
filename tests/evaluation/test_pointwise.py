"""Log loss and calibration."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve as reference_calibration_curve
from sklearn.metrics import log_loss as reference_log_loss

from home_tf.errors import HomeError
from home_tf.evaluation import calibration, calibration_curve, log_loss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_agrees_with_scikit_learn(dtype):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 1000)
    probabilities = random.random(1000).astype(dtype)
    probabilities[:4] = [0.0, 1.0, 0.0, 1.0]
    expected = reference_log_loss(labels, probabilities)
    assert log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-6)


def test_a_saturated_wrong_probability_costs_a_finite_loss():
    assert log_loss([1], np.zeros(1, np.float32)) == pytest.approx(15.94, abs=0.01)


def test_values_by_hand_without_the_missing_labels():
    labels = [1, np.nan, 0, -1]
    probabilities = [0.5, 0.9, 0.75, 0.1]
    assert log_loss(labels, probabilities) == pytest.approx(math.log(8) / 2)
    assert calibration(labels, probabilities) == 1.25


@pytest.mark.parametrize("labels", [[], [np.nan, -1]])
def test_no_labels_no_log_loss(labels):
    assert math.isnan(log_loss(labels, np.full(len(labels), 0.5)))


@pytest.mark.parametrize("labels", [[], [0, 0], [np.nan, 0]])
def test_no_positives_no_calibration(labels):
    assert math.isnan(calibration(labels, np.full(len(labels), 0.5)))


@pytest.mark.parametrize("metric", [log_loss, calibration])
def test_logits_and_nan_are_refused(metric):
    with pytest.raises(HomeError, match=r"in \[0, 1\]; are these logits\? .* -2.5"):
        metric([0, 1], [0.5, -2.5])
    with pytest.raises(HomeError, match="`scores` must not be NaN"):
        metric([0, 1], [0.5, np.nan])


def test_the_calibration_curve_agrees_with_scikit_learn_and_scipy():
    random = np.random.default_rng(0)
    probabilities = random.random(1000) ** 3
    labels = (random.random(1000) < probabilities * 0.7).astype(float)
    observed, predicted = reference_calibration_curve(
        labels, probabilities, n_bins=8, strategy="quantile"
    )
    found = calibration_curve(labels, probabilities, bins=8)
    assert [one["rows"] for one in found] == [125] * 8
    assert [one["predicted"] for one in found] == pytest.approx(predicted)
    assert [one["observed"] for one in found] == pytest.approx(observed)
    for one in found:
        test = binomtest(round(one["observed"] * 125), 125)
        interval = test.proportion_ci(method="wilson")
        assert (one["low"], one["high"]) == pytest.approx(interval, abs=1e-9)


def test_the_calibration_curve_leaves_out_missing_labels_and_empty_bins():
    found = calibration_curve([1, -1, float("nan"), 0], [0.9, 0.5, 0.4, 0.2])
    assert [(one["rows"], one["predicted"]) for one in found] == [(1, 0.2), (1, 0.9)]
    assert calibration_curve([-1.0], [0.5]) == []
    with pytest.raises(HomeError, match=r"`bins` must be at least 1. Received: 0"):
        calibration_curve([1], [0.5], bins=0)
