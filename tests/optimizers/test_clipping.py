"""`global_clipnorm`: the norm of the whole gradient, whatever it is made of."""

import numpy as np
import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY, keras
from home_tf.optimizers import Adam, LazyAdam

# With these, an update is the gradient itself: |g| is nothing beside epsilon.
PLAIN = {"learning_rate": 1e6, "epsilon": 1e6, "beta_1": 0.0, "beta_2": 0.0}
ROWS = np.array([2] * 512 + [0, 1, 2, 1])
TABLE_GRADIENT = np.random.default_rng(0).normal(1, 1, (516, 3)).astype(np.float32)
KERNEL_GRADIENT = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)


def make_variables():
    kind = tf.Variable if IS_LEGACY else keras.Variable
    zeros = [np.zeros((5, 3), np.float32), np.zeros((4, 2), np.float32)]
    return [kind(value, name=name) for value, name in zip(zeros, "ab", strict=True)]


def clipped(clip, factor=1.0):
    """The gradients, dense and in float64, after the definition of clipping."""
    table = np.zeros((5, 3))
    np.add.at(table, ROWS, factor * TABLE_GRADIENT.astype(np.float64))
    kernel = factor * KERNEL_GRADIENT.astype(np.float64)
    norm = np.sqrt((table**2).sum() + (kernel**2).sum())
    return [gradient * min(1.0, clip / norm) for gradient in (table, kernel)]


def gradients(rows=slice(None), share=1.0):
    table = tf.IndexedSlices(
        tf.constant(TABLE_GRADIENT[rows]), tf.constant(ROWS[rows]), tf.constant([5, 3])
    )
    return [table, tf.constant(share * KERNEL_GRADIENT)]


@pytest.mark.parametrize("clip", [0.01, 1.0, 1e9])
@pytest.mark.parametrize("kind", [Adam, LazyAdam])
def test_rows_of_one_id_are_added_up_before_the_norm_is_taken(kind, clip):
    variables = make_variables()
    optimizer = kind(global_clipnorm=clip, **PLAIN)
    optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply_gradients(zip(gradients(), variables, strict=True))

    step()
    for variable, expected in zip(variables, clipped(clip), strict=True):
        np.testing.assert_allclose(-np.array(variable), expected, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("kind", [Adam, LazyAdam])
def test_the_norm_is_that_of_the_sum_over_the_replicas(kind):
    strategy = two_devices()
    with strategy.scope():
        variables = make_variables()
        optimizer = kind(global_clipnorm=0.5, **PLAIN)
        optimizer.build(variables)

    @tf.function
    def step():
        def on_replica():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            # Unequal shares, whose sum is the gradient of the test above.
            table, kernel = gradients()
            first = tf.range(516) < 100
            mine = first if replica == 0 else ~first
            values = table.values * tf.cast(mine, tf.float32)[:, None]
            table = tf.IndexedSlices(values, table.indices, table.dense_shape)
            kernel = kernel * (0.25 if replica == 0 else 0.75)
            optimizer.apply_gradients(zip([table, kernel], variables, strict=True))

        strategy.run(on_replica)

    step()
    for variable, expected in zip(variables, clipped(0.5), strict=True):
        np.testing.assert_allclose(-np.array(variable), expected, rtol=2e-3, atol=1e-6)


def test_other_ways_of_clipping_are_keras_own():
    variables = make_variables()
    Adam(clipvalue=0.1, **PLAIN).apply_gradients(
        zip([tf.ones((5, 3)), tf.ones((4, 2))], variables, strict=True)
    )
    np.testing.assert_allclose(np.array(variables[1]), -0.1, rtol=1e-4)


@pytest.mark.parametrize("kind", [Adam, LazyAdam])
def test_it_comes_back_from_its_configuration(kind):
    optimizer = kind(1e-2, global_clipnorm=0.3)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is kind
    assert again.global_clipnorm == 0.3
