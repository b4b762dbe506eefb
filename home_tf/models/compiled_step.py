"""The training step with its dense part compiled by XLA."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import without_autograph
from home_tf.losses import MaskedLoss
from home_tf.models.batch import check_features, unpack_batch
from home_tf.models.gradients import added_loss, apply_gradients, loss_scale
from home_tf.models.ranking_network import RankingNetwork


def comes_apart(model: Any) -> bool:
    """Whether a ranking model can take a `CompiledStep`.

    Its network must split into lookups and the rest, and its loss weighting must need
    only the gradient of the loss.
    """
    network_comes_apart = isinstance(model.network, RankingNetwork)
    return network_comes_apart and not model.loss_weighting.needs_task_gradients


class CompiledStep:
    """One training step with experts, gates, towers and losses compiled by XLA.

    Private to the package. The forward and backward passes are one cluster, from the
    concatenated features `v` to the gradients of `v` and the weights. Lookups, the
    gradients of the tables, which stay sparse, the optimizer and the metrics stay
    outside. The numbers equal those of the plain step.

    XLA compiles again for every batch size, so a batch that is smaller than an earlier
    one, such as the last of an epoch, takes the same step uncompiled.

    Args:
        model: A ranking model, of either Keras, whose network is a `RankingNetwork`.
    """

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self._model = model
        self._largest = tf.Variable(0, trainable=False, name="largest_batch")
        self._compiled = tf.function(self._dense, autograph=False, jit_compile=True)

    def __call__(self, batch: Any) -> dict[str, Any]:
        """Takes one step of the optimizer.

        Args:
            batch: `(features, labels)` or `(features, labels, sample_weights)`.

        Returns:
            The logits `{task: (batch, 1)}`.
        """
        logits: dict[str, Any] = without_autograph(self._step)(batch)
        return logits

    def _step(self, batch: Any) -> dict[str, Any]:
        import tensorflow as tf

        model = self._model
        inputs, labels, sample_weights = unpack_batch(batch, model.tasks)
        if not model.built:
            model(inputs, training=False)  # its shapes, which a saved model needs
        tables = model.network.features.trainable_variables
        others = self._other_weights(tables)
        scale = loss_scale(model.optimizer)
        with tf.GradientTape() as tape:
            v = model.network.embed(check_features(inputs), training=True)
            added = added_loss(model.network.features)
        # XLA would skip the losses' own checks.
        targets = _checked(model.task_losses, labels, sample_weights)
        logits, of_v, of_others = self._run(v, *targets, scale)
        of_tables = tape.gradient([v, added], tables, output_gradients=[of_v, scale])
        apply_gradients(model.optimizer, [*of_tables, *of_others], [*tables, *others])
        return logits

    def _other_weights(self, tables: Sequence[Any]) -> list[Any]:
        """The trainable weights of the model except these, in order."""
        of_tables = set(map(id, tables))
        return [w for w in self._model.trainable_variables if id(w) not in of_tables]

    def _run(self, *inputs: Any) -> Any:
        """Runs the compiled cluster, or its plain twin for a batch with fewer rows."""
        import tensorflow as tf

        rows = tf.shape(inputs[0])[0]
        largest = self._largest.assign(tf.maximum(self._largest, rows))
        return tf.cond(
            rows == largest,
            lambda: self._compiled(*inputs),
            lambda: self._dense(*inputs),
        )

    def _dense(
        self,
        v: Any,
        labels: Mapping[str, Any],
        sample_weights: Mapping[str, Any],
        scale: Any,
    ) -> tuple[dict[str, Any], Any, list[Any]]:
        """Computes logits and gradients of `v` and the weights, times `scale`."""
        import tensorflow as tf

        model = self._model
        weights = self._other_weights(model.network.features.trainable_variables)
        with tf.GradientTape() as tape:
            tape.watch(v)
            logits = model.network.logits_of(v, training=True)
            losses = model.weighted_losses(labels, logits, sample_weights)
            loss = model.loss_weighting.combine(losses) + sum(
                added_loss(part) for part in model.network.dense_parts
            )
        of_v, of_weights = tape.gradient(loss, (v, weights), output_gradients=scale)
        return logits, of_v, of_weights


def _checked(
    losses: Mapping[str, MaskedLoss],
    labels: Mapping[str, Any],
    sample_weights: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Checks and returns the labels and weights of the tasks."""
    found = {
        t: loss.check_targets(t, labels[t], sample_weights.get(t))
        for t, loss in losses.items()
    }
    return (
        {task: target for task, (target, _) in found.items()},
        {task: found[task][1] for task in sample_weights},
    )
