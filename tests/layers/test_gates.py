"""The three gates: expert gate, self gate and feature gate."""

import numpy as np
import pytest
from support import home_reference
from support.backends import randomize, to_numpy

from home_tf.backend import keras, ops
from home_tf.layers import ExpertGate, FeatureGate, SelfGate
from home_tf.layers.fused import share_input

X = np.random.default_rng(3).normal(size=(20, 12)).astype(np.float32)
EXPERTS = np.random.default_rng(4).normal(size=(20, 3, 5)).astype(np.float32)


def built(layer, *inputs):
    layer(*inputs)
    randomize(layer)
    return layer


@pytest.mark.parametrize("hidden_units", [(), (6,)])
def test_an_expert_gate_mixes_by_a_softmax(hidden_units):
    gate = built(ExpertGate(3, hidden_units=hidden_units), X, EXPERTS)
    experts = list(EXPERTS.transpose(1, 0, 2))
    expected = home_reference.gate(gate, 0, X, experts, home_reference.softmax)
    np.testing.assert_allclose(to_numpy(gate(X, EXPERTS)), expected, atol=1e-5)
    weights = to_numpy(gate.gate_values(X))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert weights.min() > 0


def test_a_self_gate_over_one_expert_is_a_sigmoid():
    gate = built(SelfGate(1), X, EXPERTS[:, :1])
    weights = to_numpy(gate.gate_values(X))
    logits = home_reference.mlp(gate.mlps, 0, X.astype(np.float64))
    np.testing.assert_allclose(weights, 1 / (1 + np.exp(-logits)), atol=1e-6)
    expected = home_reference.self_gate(gate, 0, X, [EXPERTS[:, 0]])
    np.testing.assert_allclose(to_numpy(gate(X, EXPERTS[:, :1])), expected, atol=1e-5)


def test_a_self_gate_over_more_experts_sums_to_one():
    gate = built(SelfGate(3), X, EXPERTS)
    np.testing.assert_allclose(to_numpy(gate.gate_values(X)).sum(1), 1, atol=1e-6)
    expected = home_reference.self_gate(gate, 0, X, list(EXPERTS.transpose(1, 0, 2)))
    np.testing.assert_allclose(to_numpy(gate(X, EXPERTS)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [ExpertGate, SelfGate])
def test_several_gates_over_the_same_experts_are_as_many_alone(kind):
    gate = built(kind(3, num_gates=2, hidden_units=(4,)), X, EXPERTS)
    found = to_numpy(gate(X, EXPERTS))
    assert found.shape == (20, 2, 5)
    experts = list(EXPERTS.transpose(1, 0, 2))
    for number in range(2):
        expected = home_reference.gate(gate, number, X, experts, home_reference.softmax)
        np.testing.assert_allclose(found[:, number], expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(gate.gate_values(X)).sum(2), 1, atol=1e-6)


@pytest.mark.parametrize("hidden_units", [(), (6,)])
def test_gates_computed_together_are_those_computed_alone(hidden_units):
    gates = [
        built(ExpertGate(3, hidden_units=hidden_units), X, EXPERTS),
        built(ExpertGate(3, num_gates=2, hidden_units=hidden_units), X, EXPERTS),
        built(SelfGate(1), X, EXPERTS[:, :1]),
    ]
    shared = share_input(ops.convert_to_tensor(X), [gate.mlps.first for gate in gates])
    for gate in gates:
        expected = to_numpy(gate.gate_values(X))
        values = to_numpy(gate.gate_values(shared))
        np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("num_own", [1, 2])
def test_gates_see_common_experts_and_their_own(num_own):
    own = np.random.default_rng(5).normal(size=(20, 2, num_own, 5)).astype(np.float32)
    gate = built(ExpertGate(3 + num_own, num_gates=2), X, EXPERTS, own)
    found = to_numpy(gate(X, EXPERTS, own))
    for number in range(2):
        seen = [*EXPERTS.transpose(1, 0, 2), *own[:, number].transpose(1, 0, 2)]
        expected = home_reference.gate(gate, number, X, seen, home_reference.softmax)
        np.testing.assert_allclose(found[:, number], expected, atol=1e-5)


def test_several_feature_gates_are_as_many_alone():
    gates = built(FeatureGate(num_loras=3, rank=5, num_gates=2), X)
    values = gates.gate_values(X)
    outputs = gates(X)
    for number in range(2):
        expected = home_reference.feature_gate(gates, X, number)
        np.testing.assert_allclose(to_numpy(values[number]), expected, atol=1e-5)
        np.testing.assert_allclose(to_numpy(outputs[number]), expected * X, atol=1e-5)
    assert not np.allclose(to_numpy(outputs[0]), to_numpy(outputs[1]))


@pytest.mark.parametrize("loras", [1, 2, 3])
@pytest.mark.parametrize("width", [255, 256])
def test_feature_gates_of_inputs_of_every_width_equal_the_reference(width, loras):
    """Those of wide inputs are computed one by one."""
    x = np.random.default_rng(6).normal(size=(8, width)).astype(np.float32)
    gates = built(FeatureGate(num_gates=2, num_loras=loras, rank=4), x)
    found = [to_numpy(scaled) for scaled in gates(x)]
    values = [to_numpy(value) for value in gates.gate_values(x)]
    for number in range(2):
        expected = home_reference.feature_gate(gates, x, number)
        np.testing.assert_allclose(values[number], expected, atol=1e-5)
        np.testing.assert_allclose(found[number], x * expected, atol=1e-5)


def test_a_feature_gate_is_exactly_one_at_step_0():
    gate = FeatureGate(num_loras=3)
    np.testing.assert_array_equal(to_numpy(gate(X)), X.astype(np.float64))
    np.testing.assert_array_equal(to_numpy(gate.gate_values(X)), np.ones_like(X))


def test_a_feature_gate_lies_between_0_and_2_and_equals_the_reference():
    gate = built(FeatureGate(num_loras=3, rank=5), X)
    values = to_numpy(gate.gate_values(X * 3))
    assert 0 < values.min() < 0.7
    assert 1.3 < values.max() < 2
    np.testing.assert_allclose(
        values, home_reference.feature_gate(gate, X * 3), atol=1e-5
    )
    np.testing.assert_allclose(to_numpy(gate(X * 3)), values * X * 3, atol=1e-5)


@pytest.mark.parametrize("rank", [None, "paper"])
@pytest.mark.parametrize("loras", [1, 2, 3, 4, 6])
def test_the_papers_rank_makes_the_parameters_independent_of_the_number_of_loras(
    loras, rank
):
    gate = FeatureGate(num_loras=loras, rank=rank)
    gate(X)
    width = 12
    # 2 |v|^2 + L |v| of the paper, and the bias of the mixture's gate.
    assert gate.count_params() == 2 * width**2 + loras * width + loras


@pytest.mark.parametrize(("loras", "rank"), [(5, 2), (7, 1), (12, 1), (40, 1)])
def test_by_default_every_width_has_a_rank(loras, rank):
    gate = built(FeatureGate(num_loras=loras), X)
    assert tuple(gate.down_kernel.shape) == (12, loras * rank)
    expected = home_reference.feature_gate(gate, X)
    np.testing.assert_allclose(to_numpy(gate(X)), X * expected, atol=1e-5)


def test_a_rank_of_its_own_makes_a_feature_gate_small():
    gate = FeatureGate(num_loras=2, rank=3)
    gate(X)
    assert gate.count_params() == 2 * (2 * 12 * 3) + 2 * 12 + 2


def test_the_papers_rank_refuses_a_width_that_loras_do_not_divide():
    message = r"`num_loras` must divide the input width.*num_loras=5, input width=12"
    with pytest.raises(ValueError, match=message):
        FeatureGate(num_loras=5, rank="paper")(X)


@pytest.mark.parametrize("kind", [ExpertGate, SelfGate])
def test_weights_are_computed_in_float32_under_mixed_precision(kind):
    """Logits beyond the range of float16 differences stay ordered and finite."""
    gate = kind(3, dtype="mixed_float16")
    gate(X, EXPERTS)
    kernel = np.zeros((12, 3), np.float32)
    gate.set_weights([kernel, np.array([1e4, 1e4 - 8, -6e4], np.float32)])
    weights = to_numpy(gate.gate_values(X))
    assert np.isfinite(weights).all()
    # exp(-8): a softmax in float16 rounds it to a coarser number.
    np.testing.assert_allclose(weights[:, 1], 1 / (1 + np.exp(8)), rtol=1e-3)


@pytest.mark.parametrize("kind", [ExpertGate, SelfGate])
def test_experts_of_a_float32_layer_are_mixed_under_mixed_precision(kind):
    own = np.ones((20, 2, 1, 5), np.float32)
    gate = kind(4, num_gates=2, dtype="mixed_float16")
    mixed = gate(*(ops.convert_to_tensor(value) for value in (X, EXPERTS, own)))
    assert "float16" in str(mixed.dtype)
    full = kind(4, num_gates=2)
    full(X, EXPERTS, own)
    full.set_weights(gate.get_weights())
    expected = to_numpy(full(X, EXPERTS, own))
    np.testing.assert_allclose(to_numpy(mixed), expected, atol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExpertGate(0), r"`num_experts` must be a positive integer"),
        (lambda: ExpertGate(2, num_gates=0), r"`num_gates` must be a positive integer"),
        (lambda: FeatureGate(num_gates=0), r"`num_gates` must be a positive integer"),
        (lambda: SelfGate(2, hidden_units=4), r"`hidden_units` must be a sequence"),
        (lambda: FeatureGate(num_loras=0), r"`num_loras` must be a positive integer"),
        (lambda: FeatureGate(rank=0), r"`rank` must be a positive integer"),
        (lambda: FeatureGate(rank="full"), r"`rank` must be .* 'paper' or None. Rec"),
        (lambda: FeatureGate()(keras.Input((None,))), r"last dimension of the input"),
        (
            lambda: ExpertGate(4)(X, EXPERTS),
            r"num_experts=4, 3 `experts` and 0 `own_experts` of each gate",
        ),
        (
            lambda: ExpertGate(4, num_gates=2)(X, EXPERTS, np.ones((len(X), 2, 3, 5))),
            r"num_experts=4, 3 `experts` and 3 `own_experts` of each gate",
        ),
    ],
)
def test_wrong_arguments_are_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
