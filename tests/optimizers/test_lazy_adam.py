"""LazyAdam: Adam's equations on the rows with a gradient, and nothing elsewhere."""

import numpy as np
import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.backend import keras
from home_tf.optimizers import LazyAdam

TABLE = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
# Row 1 comes twice in the first step, row 5 never.
STEPS = [
    ([1, 4, 1], np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)),
    ([0, 1, 2], np.random.default_rng(2).normal(size=(3, 3)).astype(np.float32)),
    ([4, 3, 3], np.random.default_rng(3).normal(size=(3, 3)).astype(np.float32)),
]


def lazy_adam(steps, rate, *, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Algorithm 1 of Adam, for the rows of each step alone."""
    table = TABLE.astype(np.float64)
    m, v = np.zeros_like(table), np.zeros_like(table)
    for t, (indices, values) in enumerate(steps, start=1):
        gradient = np.zeros_like(table)
        np.add.at(gradient, indices, values)
        for row in sorted(set(indices)):
            g = gradient[row]
            m[row] = beta_1 * m[row] + (1 - beta_1) * g
            v[row] = beta_2 * v[row] + (1 - beta_2) * g * g
            # The paper's "efficient" order: the correction is in the rate.
            alpha = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            table[row] -= alpha * m[row] / (np.sqrt(v[row]) + epsilon)
    return table


def train(optimizer, steps, *, jit_compile=False):
    table = make_variable(TABLE)
    optimizer.build([table])

    @tf.function(jit_compile=jit_compile)
    def step(indices, values):
        gradient = tf.IndexedSlices(values, indices, tf.constant(TABLE.shape))
        optimizer.apply_gradients([(gradient, table)])

    for indices, values in steps:
        step(tf.constant(indices), tf.constant(values))
    return np.array(table)


def make_variable(value):
    kind = getattr(keras, "Variable", tf.Variable)
    return kind(value, name="table")


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_rows_follow_adams_equations(jit_compile):
    found = train(LazyAdam(0.1), STEPS, jit_compile=jit_compile)
    np.testing.assert_allclose(found, lazy_adam(STEPS, 0.1), rtol=1e-5, atol=1e-6)


def test_the_arguments_reach_the_equations():
    arguments = {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1}
    found = train(LazyAdam(0.01, **arguments), STEPS)
    expected = lazy_adam(STEPS, 0.01, **arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_row_that_is_not_looked_up_stays():
    found = train(LazyAdam(0.1), STEPS)
    np.testing.assert_array_equal(found[5], TABLE[5])
    # Adam would move row 1 in the third step, by its momentum.
    after_two = train(LazyAdam(0.1), STEPS[:2])
    np.testing.assert_array_equal(found[1], after_two[1])


def test_a_schedule_of_the_learning_rate_is_followed():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.0])
    found = train(LazyAdam(schedule), STEPS)
    np.testing.assert_allclose(found, lazy_adam(STEPS[:1], 0.1), rtol=1e-5, atol=1e-6)


def make_model():
    keras.utils.set_random_seed(0)
    ids = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(20, 3)(ids)
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(x))
    return keras.Model(ids, outputs)


def fit(model, epochs=3):
    random = np.random.default_rng(0)
    ids = random.integers(0, 20, (32, 4))
    labels = random.normal(size=(32, 1)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((ids, labels)).batch(8)
    return model.fit(data, epochs=epochs, shuffle=False, verbose=0)


def test_dense_variables_are_updated_as_by_adam():
    kernels = []
    for optimizer in (LazyAdam(0.01), keras.optimizers.Adam(0.01)):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.set_weights([np.ones((4, 2)), np.zeros(2)])
        model.compile(optimizer=optimizer, loss="mse")
        x = np.random.default_rng(0).normal(size=(32, 4))
        model.fit(x, x[:, :2], epochs=2, shuffle=False, verbose=0)
        kernels.append(np.array(model.layers[-1].kernel))
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-6)


@pytest.mark.slow
def test_two_devices_agree_with_one():
    tables = []
    for strategy in (tf.distribute.get_strategy(), two_devices()):
        with strategy.scope():
            model = make_model()
            model.compile(optimizer=LazyAdam(0.05), loss="mse")
        fit(model)
        tables.append(model.get_weights()[0])
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4, atol=1e-5)


def test_a_saved_model_goes_on_alike(tmp_path):
    model = make_model()
    model.compile(optimizer=LazyAdam(0.05, beta_2=0.9), loss="mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is LazyAdam
    assert loaded.optimizer.beta_2 == 0.9
    assert fit(loaded).history == fit(model).history


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match=r"no `amsgrad`. Received: amsgrad=True"):
        LazyAdam(amsgrad=True)
