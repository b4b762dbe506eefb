"""What the ranking model for Keras and its twin for TFRS have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import num_replicas
from home_tf.loss_weighting.resolve import resolve
from home_tf.models.batch import (
    check_loss_weights,
    check_network,
    weighted_log_loss,
)


class RankingMethods:
    """Mixed into a model of Keras or TFRS, before it.

    Private to the package. The model adds the losses and metrics of its tasks.
    """

    # Of the model.
    losses: Sequence[Any]
    __call__: Any

    def _set_network(
        self,
        network: Any,
        tasks: Sequence[str],
        loss_weights: Mapping[str, float] | None,
        loss_weighting: Any,
    ) -> None:
        """Checks and keeps the arguments that both models have."""
        self.network = check_network(network, keras.layers.Layer)
        self.tasks = list(tasks)
        self.loss_weights = check_loss_weights(self.tasks, loss_weights)
        self.loss_weighting = resolve(loss_weighting, self.loss_weights, self.network)
        # Every replica returns the result of the whole batch; Keras would add them up.
        self.distribute_reduction_method = "first"

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Features to logits `{task: (batch, 1)}`."""
        logits: dict[str, Any] = self.network(inputs, training=training)
        return logits

    def added_loss(self) -> Any:
        """This replica's share of the losses that the network's layers add."""
        # Every replica adds all of them: undivided, they would count once a replica.
        loss = ops.convert_to_tensor(0.0)
        for added in self.losses:
            loss += ops.cast(added, "float32") / num_replicas()
        return loss

    def results_of(self, metrics: Sequence[Any]) -> dict[str, Any]:
        """The metrics over all rows seen, with `loss` and learnt weights."""
        results = {metric.name: metric.result() for metric in metrics}
        loss = weighted_log_loss(self.loss_weights, results)
        return {"loss": loss, **results, **self.loss_weighting.results()}

    def predict_step(self, data: Any) -> dict[str, Any]:
        """Probabilities `{task: (batch, 1)}` of a batch; labels in it are ignored."""
        inputs = data[0] if isinstance(data, (tuple, list)) else data
        logits = self(inputs, training=False)
        return {task: ops.sigmoid(logits[task]) for task in self.tasks}
