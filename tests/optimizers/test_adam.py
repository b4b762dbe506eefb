"""Adam as one operation a variable: the same numbers as Keras's own."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import IS_LEGACY, keras
from home_tf.optimizers import Adam

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(6, 3)).astype(np.float32)
KERNEL = RANDOM.normal(size=(4, 2)).astype(np.float32)
# Row 1 comes twice in the first step, row 5 never.
ROWS = [[1, 4, 1], [0, 1, 2], [4, 3, 3]]
VALUES = RANDOM.normal(size=(3, 3, 3)).astype(np.float32)
KERNEL_GRADIENTS = RANDOM.normal(size=(3, 4, 2)).astype(np.float32)
# Of three steps of 0.1. Keras takes 1 - beta_2 from a float64, and its powers not.
ROUNDING = 3e-6


def train(optimizer, *, sparse, jit_compile=False):
    """The table and the kernel after three steps."""
    kind = tf.Variable if IS_LEGACY else keras.Variable
    variables = [kind(TABLE, name="table"), kind(KERNEL, name="kernel")]
    optimizer.build(variables)

    @tf.function(jit_compile=jit_compile)
    def step(rows, values, kernel_gradient):
        gradient = tf.IndexedSlices(values, rows, tf.constant(TABLE.shape))
        table = gradient if sparse else tf.convert_to_tensor(gradient)
        optimizer.apply_gradients(zip([table, kernel_gradient], variables, strict=True))

    for rows, values, gradient in zip(ROWS, VALUES, KERNEL_GRADIENTS, strict=True):
        step(tf.constant(rows), tf.constant(values), tf.constant(gradient))
    return [np.array(variable) for variable in variables]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1},
        {"amsgrad": True},
        {"weight_decay": 0.1},
    ],
    ids=str,
)
def test_it_is_adam_of_keras(arguments, sparse, jit_compile):
    # On dense gradients: Keras's own takes the square of each row of an id by itself.
    expected = train(keras.optimizers.Adam(0.1, **arguments), sparse=False)
    found = train(Adam(0.1, **arguments), sparse=sparse, jit_compile=jit_compile)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=ROUNDING, rtol=0)


def test_a_schedule_of_the_learning_rate_is_followed():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    expected = train(keras.optimizers.Adam(schedule), sparse=False)
    for mine, theirs in zip(train(Adam(schedule), sparse=False), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=ROUNDING, rtol=0)


def test_a_variable_is_updated_by_one_operation():
    variables = [
        (tf.Variable if IS_LEGACY else keras.Variable)(KERNEL) for _ in range(5)
    ]
    optimizer = Adam(0.1)
    optimizer.build(variables)

    @tf.function
    def step():
        gradients = [tf.constant(KERNEL)] * 5
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    kinds = [op.type for op in step.get_concrete_function().graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 5
    assert kinds.count("Pow") == 2  # the rate of a step is computed once
