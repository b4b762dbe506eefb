"""The ranking by a single feature, which any model has to beat."""

import numpy as np
import pytest

from home_tf.features.feature_embedding import NUMERIC_FEATURES
from home_tf.lab.comparison.single_feature import single_feature_auc
from home_tf.lab.comparison.split_data import SplitData

random = np.random.default_rng(0)


def rows(number, **features):
    labels = {"click": (features.pop("rate") > random.random(number)).astype(float)}
    return SplitData(features, labels, {})


def splits(make):
    return [make(4000) for _ in range(3)]


def test_the_feature_is_the_one_that_does_best():
    def make(number):
        good, bad = random.integers(2, size=number), random.integers(9, size=number)
        numbers = good[:, None] + 0.0
        listed = np.stack([good, good], axis=1)
        return rows(
            number,
            rate=np.where(good == 1, 0.8, 0.2),
            **{"bad": bad, "good": good, "list": listed, NUMERIC_FEATURES: numbers},
        )

    # A positive and a negative: right with 0.8 * 0.8, a tie with 2 * 0.8 * 0.2.
    found = single_feature_auc(*splits(make))
    assert found["click"] == pytest.approx(0.64 + 0.32 / 2, abs=0.02)


def test_numbers_count_if_there_are_no_categories():
    """Also if the rate goes up and down again with the number."""

    def make(number):
        value = random.random((number, 2))
        rate = np.where(np.abs(value[:, 1] - 0.5) < 0.25, 0.8, 0.2)
        return rows(number, rate=rate, **{NUMERIC_FEATURES: value})

    found = single_feature_auc(*splits(make))
    assert found["click"] == pytest.approx(0.8, abs=0.03)


def test_an_undefined_value_is_none():
    first, second, third = splits(
        lambda number: rows(
            number, rate=np.full(number, 0.5), job=np.zeros(number, int)
        )
    )
    third.labels["click"][:] = np.nan
    assert single_feature_auc(first, second, third) == {"click": None}


def test_without_a_feature_of_a_single_value_there_is_none():
    made = rows(9, rate=np.full(9, 0.5), list=np.zeros((9, 3), int))
    assert single_feature_auc(made, made, made) == {}
