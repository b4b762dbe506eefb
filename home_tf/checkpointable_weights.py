"""The weights of a layer, for `tf.train.Checkpoint`."""

from typing import Any

from home_tf.backend import IS_LEGACY


def checkpointable_weights(layer: Any) -> list[Any]:
    """The TensorFlow variables of a layer's weights, in their order.

    `tf.train.Checkpoint` given a Keras 3 layer leaves out, without a word, every layer
    that is an element of a list or a dict; a list of variables it saves whole.
    """
    return [weight if IS_LEGACY else weight.value for weight in layer.weights]
