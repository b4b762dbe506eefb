"""Batch normalisation: in every form what Keras's own computes."""

import numpy as np
import pytest
from support.backends import randomize, to_numpy

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, keras, ops
from home_tf.backend.variables import tf_variable
from home_tf.layers import Expert, ExpertBank
from home_tf.layers.batch_norm import BatchNorm

DTYPES = [
    "float32",
    pytest.param(
        "float64",
        marks=pytest.mark.skipif(not IS_TENSORFLOW, reason="JAX has none by default"),
    ),
]


def pair(channels, dtype="float32"):
    """Ours and Keras's, with the same random weights."""
    layers = [
        kind(momentum=0.8, epsilon=1e-3, dtype=dtype)
        for kind in (BatchNorm, keras.layers.BatchNormalization)
    ]
    for layer in layers:
        layer.build((None, channels))
        randomize(layer)
    return layers


def rows(number, channels=6):
    return np.random.default_rng(7).normal(3, 2, (number, channels)).astype(np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [1, 2, 200])
def test_a_batch_is_normalised_and_remembered_as_keras_does(number, dtype):
    ours, keras_own = pair(6, dtype)
    x = rows(number)
    for _ in range(2):
        found, expected = ours(x, training=True), keras_own(x, training=True)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=2e-5)
    for mine, other in zip(ours.weights, keras_own.weights, strict=True):
        np.testing.assert_allclose(to_numpy(mine), to_numpy(other), atol=1e-5)


@pytest.mark.skipif(not IS_TENSORFLOW, reason="elsewhere training is Keras's own code")
@pytest.mark.parametrize("number", [20, 200])
def test_gradients_are_those_of_keras(number):
    import tensorflow as tf

    x, direction = tf.constant(rows(number)), tf.constant(rows(number)[::-1].copy())
    found = []
    for layer in pair(6):
        weights = layer.trainable_variables
        with tf.GradientTape() as tape:
            tape.watch(x)
            scalar = tf.reduce_sum(layer(x, training=True) * direction)
        sources = [tf_variable(weight) for weight in weights]
        found.append([g.numpy() for g in tape.gradient(scalar, [x, *sources])])
    for mine, other in zip(*found, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(mine, other, atol=1e-5 * scale)


@pytest.mark.skipif(not IS_TENSORFLOW, reason="`tf.distribute` is TensorFlow's")
def test_a_replica_without_rows_moves_its_averages_as_the_others_do():
    import tensorflow as tf
    from support.strategies import two_devices

    strategy, x = two_devices(), rows(10)
    with strategy.scope():
        layer = BatchNorm(momentum=0.8, synchronized=True)
        layer.build((None, 6))
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(x[: 10 - 10 * context.replica_id_in_sync_group])
    )

    @tf.function
    def step(parts):
        return strategy.run(lambda part: layer(part, training=True), args=(parts,))

    step(parts)
    mean, variance = 0.2 * x.mean(0), 0.8 + 0.2 * x.var(0)
    np.testing.assert_allclose(to_numpy(layer.moving_mean), mean, rtol=1e-4)
    np.testing.assert_allclose(to_numpy(layer.moving_variance), variance, rtol=1e-4)


def test_inference_is_that_of_keras():
    ours, keras_own = pair(6)
    x = rows(20)
    expected = to_numpy(keras_own(x, training=False))
    np.testing.assert_allclose(to_numpy(ours(x, training=False)), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(ours(x)), expected, atol=1e-5)


@pytest.mark.skipif(not IS_LEGACY, reason="only legacy Keras takes a tensor there")
@pytest.mark.parametrize("training", [True, False])
def test_training_may_be_a_tensor(training):
    import tensorflow as tf

    ours, keras_own = pair(6)
    x = tf.constant(rows(20))
    found = tf.function(lambda flag: ours(x, training=flag))(tf.constant(training))
    expected = to_numpy(keras_own(x, training=training))
    np.testing.assert_allclose(to_numpy(found), expected, atol=1e-5)


def test_frozen_experts_infer_in_training_too():
    """As in Keras: a frozen one neither uses nor remembers a batch."""
    bank = ExpertBank(2, Expert.home(units=(5, 4)))
    x = ops.convert_to_tensor(rows(30))
    bank(x)
    randomize(bank)
    before = [to_numpy(weight) for weight in bank.weights]
    bank.trainable = False
    frozen = to_numpy(bank(x, training=True))
    np.testing.assert_allclose(frozen, to_numpy(bank(x, training=False)), atol=1e-5)
    for weight, value in zip(bank.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), value)
