"""The training step of loss weightings that need every task's gradient."""

from typing import Any

from home_tf.backend import IS_LEGACY, keras, without_autograph
from home_tf.loss_weighting.task_gradients import TaskGradients
from home_tf.models.batch import check_features, unpack_batch


def task_gradient_step(model: Any, batch: Any) -> Any:
    """One step of the optimiser on the gradients that the loss weighting decides on.

    Args:
        model: A ranking model, of either Keras.
        batch: `(features, labels)` or `(features, labels, sample_weights)`.

    Returns:
        The logits `{task: (batch, 1)}`.
    """
    return without_autograph(_step)(model, batch)


def _step(model: Any, batch: Any) -> Any:
    import tensorflow as tf

    inputs, labels, sample_weights = unpack_batch(batch, model.tasks)
    features = None
    if not model.built:
        model(inputs, training=False)  # its shapes, which a saved model needs
    with tf.GradientTape(persistent=True) as tape:
        if model.loss_weighting.needs_features:
            logits, features = model.network(
                check_features(inputs), training=True, return_features=True
            )
        else:
            logits = model(inputs, training=True)
        losses = model.weighted_losses(labels, logits, sample_weights)
        added = model.added_loss()
    optimizer, weights = model.optimizer, model.trainable_variables
    found = TaskGradients(
        tape, losses, added, features, _loss_scale(optimizer), optimizer.iterations
    )
    _apply(optimizer, model.loss_weighting.gradients(found, weights), weights)
    return logits


def _loss_scale(optimizer: Any) -> Any:
    import tensorflow as tf

    one = tf.constant(1.0)
    if not IS_LEGACY:
        return tf.convert_to_tensor(optimizer.scale_loss(one))
    return optimizer.get_scaled_loss(one) if _scales_in_legacy(optimizer) else one


def _apply(optimizer: Any, gradients: Any, weights: Any) -> None:
    if IS_LEGACY and _scales_in_legacy(optimizer):
        # In Keras 3 `apply_gradients` does it.
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, weights, strict=True))


def _scales_in_legacy(optimizer: Any) -> bool:
    return isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)
