"""The training step for loss weightings that need every task's gradient."""

from typing import Any

from home_tf.backend import without_autograph
from home_tf.loss_weighting.task_gradients import TaskGradients
from home_tf.models.batch import check_features, unpack_batch
from home_tf.models.gradients import added_loss, apply_gradients, loss_scale


def task_gradient_step(model: Any, batch: Any) -> Any:
    """Takes one step of the optimiser on the gradients from the loss weighting.

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
        added = added_loss(model)
    optimizer, weights = model.optimizer, model.trainable_variables
    found = TaskGradients(
        tape, losses, added, features, loss_scale(optimizer), optimizer.iterations
    )
    apply_gradients(optimizer, model.loss_weighting.gradients(found, weights), weights)
    return logits
