"""Sizes against counts by hand, and the scaling of widths to a size."""

import pytest

from home_tf.config import override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.lab.comparison.budget import closest_units, fit_to_budget, network_size


def test_the_size_of_a_small_home_is_what_one_counts_by_hand(small_config, prepared):
    config = small_config(training__framework="keras")
    v, d = 28, 8  # the widths of the features of the small configuration, and D
    meta_kernels = 3 * 2 * v * d + v * (4 + 4 + 6)
    task_kernels = (2 + 2 * 2 + 3) * d * d + 3 * 2 * d * 5
    towers = 3 * d
    mixing = (4 + 4 + 6) * d + 3 * 5 * d
    kernels = meta_kernels + task_kernels + towers
    batch_norms, gate_biases, tower_biases = 15 * 2 * d, 4 + 4 + 6 + 3 * 5, 3
    size = network_size(
        config, Preprocessor(config.features, DatasetDirectory(prepared))
    )
    assert size.flops == 2 * (kernels + mixing)
    assert size.params == kernels + batch_norms + gate_biases + tower_biases


def test_feature_gates_cost_their_maps_their_gate_and_their_mixing(
    small_config, prepared
):
    config = small_config(training__framework="keras")
    gated = override_config(
        config,
        {
            "model.architecture.feature_gate": "meta",
            "model.architecture.num_loras": 2,
            "model.architecture.lora_rank": 5,
        },
    )
    preprocessor = Preprocessor(config.features, DatasetDirectory(prepared))
    without = network_size(config, preprocessor)
    found = network_size(gated, preprocessor)
    maps, gate, mixing = 2 * 2 * 28 * 5, 28 * 2, 28
    assert found.flops - without.flops == 3 * 2 * (maps + gate + mixing)
    assert found.params - without.params == 3 * (maps + gate + 2)


@pytest.mark.parametrize("wanted", [300_000, 5_000, 2_000_000])
def test_widths_come_within_two_percent(wanted):
    def measure(units):
        a, b = units
        return 264 * a + a * b + 12 * b * b

    units = closest_units((64, 32), wanted, measure)
    assert abs(measure(units) / wanted - 1) <= 0.02
    if wanted > 5_000:  # the shape stays, as far as whole numbers allow
        assert units[0] / units[1] == pytest.approx(2, rel=0.1)


def test_few_evaluations_are_needed():
    calls = []

    def measure(units):
        calls.append(units)
        return 100 * units[0] * units[0]

    closest_units((64,), 100 * 173 * 173, measure)
    assert len(calls) <= 6


def test_widths_that_do_not_exist_are_told_with_the_closest():
    message = r"`budget` same-params cannot be met within 2% .*\[2\] come closest, -20"
    with pytest.raises(HomeError, match=message):
        closest_units((1,), 2.5, lambda units: units[0], what="same-params")


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["same-params", "same-flops"])
def test_a_smaller_network_grows_to_the_size_of_home(small_config, prepared, budget):
    home = small_config(
        training__framework="keras",
        model__architecture={
            "expert": {"units": [48, 24]},
            "feature_gate": "meta",
            "lora_rank": 4,
            "self_gate": "none",
        },
    )
    other = override_config(home, {"model.architecture.feature_gate": "none"})
    preprocessor = Preprocessor(home.features, DatasetDirectory(prepared))
    result = fit_to_budget(other, home, budget, preprocessor)
    wanted, found = (network_size(c, preprocessor) for c in (home, result))
    key = budget.removeprefix("same-")
    assert getattr(found, key) == pytest.approx(getattr(wanted, key), rel=0.02)
    assert fit_to_budget(other, home, "paper", preprocessor) is other
