"""The population stability index, against SciPy, by hand, and under no change."""

import numpy as np
import pytest
from scipy.stats import entropy

from home_tf.description import population_stability_index


def test_two_bins_by_hand():
    """0.1 * ln(0.6 / 0.5) - 0.1 * ln(0.4 / 0.5), where chance gives nothing."""
    million = 1_000_000
    found = population_stability_index(
        np.array([50, 50]) * million, np.array([60, 40]) * million
    )
    assert found == pytest.approx(0.0405465, abs=1e-6)


def test_it_is_the_divergence_both_ways_without_what_chance_gives():
    reference = np.array([500, 300, 150, 50, 0])
    counts = np.array([10, 60, 20, 0, 10])
    before = (reference + 0.5) / 1002.5
    after = (counts + 0.5) / 102.5
    both = entropy(after, before) + entropy(before, after)
    chance = 4 * (1 / 1000 + 1 / 100)
    found = population_stability_index(reference, counts)
    assert found == pytest.approx(both - chance)
    assert both - chance > 0.5


def test_bins_that_nobody_has_do_not_count():
    pair = np.array([70, 30]), np.array([30, 70])
    with_empty = [np.insert(one, 1, [0] * 50) for one in pair]
    assert population_stability_index(*with_empty) == population_stability_index(*pair)


@pytest.mark.parametrize("bins", [11, 100])
def test_few_rows_without_drift_are_no_drift(bins):
    """Plainly computed, the index of 100 bins would be above 0.25 each time."""
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(bins, 5.0))
    found = [
        population_stability_index(
            random.multinomial(2000, shares), random.multinomial(250, shares)
        )
        for _ in range(200)
    ]
    assert np.mean(found) < 0.02
    assert max(found) < 0.1


def test_a_split_without_rows_has_none():
    assert population_stability_index(np.array([5, 5]), np.array([0, 0])) is None
