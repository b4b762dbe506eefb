"""Experts: their own weights, their normalisation, and their inputs."""

import numpy as np
import pytest
from support import home_reference
from support.backends import randomize, to_numpy

from home_tf.backend import IS_TENSORFLOW, keras
from home_tf.layers import Expert, ExpertBank

X = np.random.default_rng(2).normal(1, 3, size=(64, 10)).astype(np.float32)


def test_normalised_outputs_have_mean_zero_and_variance_one_in_each_dimension():
    """In training mode and before the activation, whatever the input's scale is."""
    expert = Expert.home(
        units=(16, 8), batch_norm_initial_scale=1.0, batch_norm_epsilon=1e-12
    )
    bank = ExpertBank(3, expert)
    bank(X)
    before = []
    normalise = bank.batch_norm.call
    bank.batch_norm.call = lambda *args, **kwargs: (
        before.append(normalise(*args, **kwargs)) or before[-1]
    )
    outputs = to_numpy(bank(X * 100, training=True))
    normalised = to_numpy(before[-1])
    assert normalised.shape == (64, 24)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.var(0), 1, atol=1e-3)
    swish = normalised / (1 + np.exp(-normalised))
    np.testing.assert_allclose(outputs, swish.reshape(64, 3, 8), atol=1e-5)


def test_moving_averages_move_by_the_momentum():
    bank = ExpertBank(2, Expert.home(units=(4,), batch_norm_momentum=0.8))
    bank(X)
    linear = np.concatenate(
        [X @ kernel for kernel in np.split(np.array(bank.mlps.kernels[0]), 2, axis=1)],
        1,
    )
    bank(X, training=True)
    mean = to_numpy(bank.batch_norm.moving_mean)
    variance = to_numpy(bank.batch_norm.moving_variance)
    np.testing.assert_allclose(mean, 0.2 * linear.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, 0.8 + 0.2 * linear.var(0), rtol=1e-3)


@pytest.mark.skipif(not IS_TENSORFLOW, reason="`tf.distribute` is TensorFlow's")
def test_moments_are_synchronised_only_over_several_replicas():
    from support.strategies import two_devices

    alone, shared = (ExpertBank(2, Expert.home(units=(4,))) for _ in range(2))
    alone.build((None, 10))
    with two_devices().scope():
        shared.build((None, 10))
    assert not alone.batch_norm.synchronized
    assert shared.batch_norm.synchronized


@pytest.mark.parametrize("expert", ["home", "swish", "relu"])
@pytest.mark.parametrize("training", [False, True])
def test_an_input_for_each_expert_gives_each_its_own(expert, training):
    bank = ExpertBank(3, getattr(Expert, expert)(units=(5, 4)))
    own = np.stack([X, X * 2, -X], axis=1)
    bank(own)
    randomize(bank)
    found = to_numpy(bank(own, training=training))
    for number in range(3):
        expected = home_reference.expert(bank, number, own[:, number], training)
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("expert", ["home", "swish", "relu"])
def test_groups_of_experts_read_an_input_each(expert):
    bank = ExpertBank((2, 1), getattr(Expert, expert)(units=(5, 4)))
    bank([X, X * 2])
    randomize(bank)
    found = to_numpy(bank([X, X * 2], training=True))
    for number, x in enumerate([X, X, X * 2]):
        expected = home_reference.expert(bank, number, x, True)
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-4, atol=1e-4)
    again = ExpertBank.from_config(bank.get_config())
    assert again.num_experts == (2, 1)
    assert again.compute_output_shape([(None, 10), (None, 10)]) == (None, 3, 4)


def test_a_small_initial_scale_scales_what_swish_sees():
    expert = Expert.home(
        units=(5, 4), batch_norm_initial_scale=0.1, batch_norm_epsilon=1e-12
    )
    bank = ExpertBank(3, expert)
    bank(X)
    found = to_numpy(bank(X, training=True))
    for number in range(3):
        linear = home_reference.mlp(bank.mlps, number, X.astype(np.float64))
        scaled = 0.1 * (linear - linear.mean(0)) / linear.std(0)
        expected = scaled / (1 + np.exp(-scaled))
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-4, atol=1e-5)
    again = ExpertBank.from_config(bank.get_config())
    assert again.expert.batch_norm_initial_scale == 0.1


@pytest.mark.parametrize("seed", [None, 11])
@pytest.mark.parametrize("kind", ["GlorotUniform", "HeNormal"])
def test_every_expert_starts_at_the_scale_of_one_expert(kind, seed):
    """The scale is that of one expert's fan, not of the stacked kernel's."""
    bank = ExpertBank(
        16,
        Expert.home(
            units=(64, 64),
            kernel_initializer=getattr(keras.initializers, kind)(seed=seed),
        ),
    )
    bank(np.zeros((1, 64), np.float32))
    variance = {"GlorotUniform": 2 / 128, "HeNormal": 2 / 64}[kind]
    for stacked in bank.mlps.kernels:
        kernels = np.split(np.array(stacked), 16, axis=1)
        assert len({kernel.tobytes() for kernel in kernels}) == 16
        for kernel in kernels:
            assert kernel.var() == pytest.approx(variance, rel=0.15)


def test_the_number_of_parameters():
    bank = ExpertBank(3, Expert.home(units=(7, 5)))
    bank(X)
    # Kernels, the hidden biases, and gamma, beta, moving mean and variance.
    assert bank.count_params() == 3 * (10 * 7 + 7 + 7 * 5 + 4 * 5)
    for expert in ("swish", "relu"):
        bank = ExpertBank(3, getattr(Expert, expert)(units=(7, 5)))
        bank(X)
        assert bank.count_params() == 3 * (10 * 7 + 7 + 7 * 5 + 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_experts": 0}, r"`num_experts` must be a positive integer. Received: 0"),
        ({"num_experts": []}, r"`num_experts` must be a sequence of at least 1"),
        ({"num_experts": [2, 0]}, r"`num_experts` must be a positive integer"),
        ({"num_experts": True}, r"`num_experts` must be a positive integer"),
        ({"expert": "gelu"}, r"`expert` must be .* 'relu'\). Received: 'gelu'"),
        ({"expert": 3}, r"`expert` must be an `Expert` or one of \('home', 'swish', "),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        ExpertBank(**{"num_experts": 2, **arguments})


def test_a_wrong_input_shape_is_told():
    with pytest.raises(ValueError, match=r"\(batch, features\) or \(batch, n, f"):
        ExpertBank(3)(np.zeros((5, 2, 10), np.float32))
    with pytest.raises(ValueError, match=r"Received: \[\(64, 10\), \(64, 10\), "):
        ExpertBank((2, 1))([X, X, X])
