"""What TensorFlow does with the variables of either Keras."""

from typing import Any

from home_tf.backend import IS_LEGACY


def tf_variable(weight: Any) -> Any:
    """The TensorFlow variable of a Keras weight, which legacy Keras gives as it is."""
    return weight if IS_LEGACY else weight.value


def checkpointable_weights(layer: Any) -> list[Any]:
    """The TensorFlow variables of a layer's weights, in their order.

    `tf.train.Checkpoint` given a Keras 3 layer leaves out, without a word, every layer
    that is an element of a list or a dict; a list of variables it saves whole.
    """
    return [tf_variable(weight) for weight in layer.weights]


def add_at(variable: Any, indices: Any, values: Any) -> None:
    """Adds values to a few elements of a variable, in place; TensorFlow only.

    In a replica of a `tf.distribute` strategy it changes the replica's own part of a
    sum over the replicas, such as a metric's state is.

    Args:
        variable: Keras variable of `n` dimensions.
        indices: Where to add, `(elements, n)`; an element may come more than once.
        values: What to add, `(elements,)`.
    """
    import tensorflow as tf

    variable = tf_variable(variable)
    # Distributed variables have no `scatter_nd_add`, but a handle in each replica.
    tf.raw_ops.ResourceScatterNdAdd(
        ref=variable.handle, indices=indices, updates=values
    )
