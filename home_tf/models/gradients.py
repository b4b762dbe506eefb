"""From losses to the optimizer in both Kerases: added losses and loss scaling."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import IS_LEGACY, keras, ops
from home_tf.backend.replicas import num_replicas


def added_loss(layer: Any) -> Any:
    """This replica's share of the losses that a layer or model adds, a scalar."""
    # Every replica adds all of them: undivided, they would count once per replica.
    loss = ops.convert_to_tensor(0.0)
    for added in layer.losses:
        loss += ops.cast(added, "float32") / num_replicas()
    return loss


def loss_scale(optimizer: Any) -> Any:
    """The factor by which mixed precision scales gradients to avoid underflow.

    Returns:
        A scalar tensor: 1 if the loss is not scaled.
    """
    import tensorflow as tf

    one = tf.constant(1.0)
    if not IS_LEGACY:
        return tf.convert_to_tensor(optimizer.scale_loss(one))
    return optimizer.get_scaled_loss(one) if _scales_in_legacy(optimizer) else one


def apply_gradients(
    optimizer: Any, gradients: Sequence[Any], weights: Sequence[Any]
) -> None:
    """Applies gradients that were scaled by `loss_scale`."""
    if IS_LEGACY and _scales_in_legacy(optimizer):
        # In Keras 3 `apply_gradients` does it.
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, weights, strict=True))


def _scales_in_legacy(optimizer: Any) -> bool:
    return isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)
