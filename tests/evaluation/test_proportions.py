"""Intervals of shares, against SciPy and published examples."""

import pytest
from scipy.stats import binomtest

from home_tf.evaluation import newcombe_interval, wilson_interval


@pytest.mark.parametrize(
    ("positives", "rows"), [(0, 20), (1, 20), (17, 20), (20, 20), (123, 9876)]
)
def test_a_share(positives, rows):
    expected = binomtest(positives, rows).proportion_ci(method="wilson")
    found = wilson_interval(positives, rows)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Newcombe (1998), table II, method 10.
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_the_difference_of_two(counts, expected):
    assert newcombe_interval(*counts) == pytest.approx(expected, abs=5e-5)
