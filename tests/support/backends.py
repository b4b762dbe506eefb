"""What NumPy-minded tests need of the Keras in force, whatever its backend."""

import numpy as np

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, keras, ops
from home_tf.backend.variables import tf_variable


def randomize(layer, seed=0):
    """Gives every weight of a built layer a random value, none of them at rest."""
    random = np.random.default_rng(seed)
    values = []
    for weight in layer.weights:
        value = random.normal(0, 1 / np.sqrt(weight.shape[0]), weight.shape)
        values.append(np.abs(value) + 0.5 if "variance" in weight.name else value)
    layer.set_weights(values)


def to_numpy(values):
    """Tensors, also in dicts and lists, as float64 or integer arrays."""
    if isinstance(values, dict):
        return {name: to_numpy(value) for name, value in values.items()}
    if not IS_LEGACY:
        values = keras.ops.convert_to_numpy(values)
    array = np.asarray(values)
    return array if array.dtype.kind in "iu" else array.astype(np.float64)


def dtype_name(tensor):
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def gradients(layer, inputs, scalar_of, training=False):
    """The gradient of `scalar_of(layer(inputs))` by each trainable weight.

    Returns a function from some of these weights to the largest absolute value in the
    gradients; with `columns`, only in those of the last axis.
    """
    variables = layer.trainable_variables
    if IS_TENSORFLOW:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            scalar = scalar_of(layer(inputs, training=training))
        sources = [tf_variable(variable) for variable in variables]
        found = tape.gradient(scalar, sources, unconnected_gradients="zero")
        found = [tf.convert_to_tensor(g).numpy() for g in found]
    else:
        import jax

        def scalar_for(values):
            rest = [variable.value for variable in layer.non_trainable_variables]
            outputs, _ = layer.stateless_call(values, rest, inputs, training=training)
            return scalar_of(outputs)

        found = jax.grad(scalar_for)([variable.value for variable in variables])
    gradient_of = {
        id(variable): np.abs(gradient)
        for variable, gradient in zip(variables, found, strict=True)
    }

    def largest_of(weights, columns=slice(None)):
        return max(
            float(gradient_of[id(weight)][..., columns].max()) for weight in weights
        )

    return largest_of


def sum_of_squares(tensor):
    return ops.sum(tensor**2)
