"""The ranking model for TFRS: one `tfrs.tasks.Ranking` per task."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from home_tf.backend import keras
from home_tf.losses import MaskedLoss
from home_tf.models.batch import unpack_batch
from home_tf.models.gradients import added_loss
from home_tf.models.ranking_methods import RankingMethods


@keras.saving.register_keras_serializable(package="home_tf.tfrs")
class RankingModel(RankingMethods, tfrs.Model):
    """Trains a multi-task network as a TFRS model.

    The counterpart of `home_tf.models.RankingModel`: same network, loss, metrics and
    arguments. Unlike a plain TFRS model, it trains under any `tf.distribute` strategy.

    `model(features)` returns logits; `model.predict` returns probabilities, or numbers
    for regression tasks. A feature that is NaN or infinite raises an error that names
    it.

    Args:
        network: Layer or model from features to logits `{task: (batch, 1)}`.
        tasks: Names of the tasks.
        loss_weights: `{task: weight}`; 1 for tasks that are not named.
        loss_weighting: How the losses, times `loss_weights`, become one: `"sum"`,
            `"uncertainty"`, `"gradnorm"`, `"pcgrad"`, or an object of
            `home_tf.loss_weighting`. Learnt weights are reported as
            `<task>_loss_weight`.
        task_losses: `{task: loss}`, such as `MaskedRegressionLoss` for a regression
            task; `MaskedBinaryCrossentropy` for tasks that are not named.
        **kwargs: Arguments of `tfrs.Model`.

    Raises:
        ValueError: If the network belongs to Keras 3, if loss weights name unknown
            tasks, or if the loss weighting is unknown or does not go with the loss
            weights or the network.

    Examples:
        >>> model = RankingModel(network, ["click", "like"])
        >>> model.compile(optimizer="adam")
        >>> model.fit(dataset)   # of (features, labels) or (features, labels, weights)
    """

    def __init__(
        self,
        network: Any,
        tasks: Sequence[str],
        *,
        loss_weights: Mapping[str, float] | None = None,
        loss_weighting: Any = "sum",
        task_losses: Mapping[str, MaskedLoss] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_network(network, tasks, loss_weights, loss_weighting, task_losses)
        self.ranking_tasks = {
            task: tfrs.tasks.Ranking(
                loss=loss,
                name=f"{task}_ranking",
            )
            for task, loss in self.task_losses.items()
        }

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """This replica's share of the loss: the weighted task losses.

        PCGrad changes only the gradients: its loss is the plain sum.
        """
        features, labels, weights = unpack_batch(inputs, self.tasks)
        logits = self(features, training=training)
        self.update_metrics(inputs, logits)
        return self.loss_weighting.combine(
            self.weighted_losses(labels, logits, weights)
        )

    def weighted_losses(
        self,
        labels: Mapping[str, Any],
        logits: Mapping[str, Any],
        sample_weights: Mapping[str, Any],
    ) -> dict[str, Any]:
        """This replica's shares of the tasks' losses, times `loss_weights`."""
        return {
            task: self.loss_weights[task]
            * ranking(
                labels=labels[task],
                predictions=logits[task],
                sample_weight=sample_weights.get(task),
            )
            for task, ranking in self.ranking_tasks.items()
        }

    def train_step(self, inputs: Any) -> dict[str, Any]:
        """Takes one step of the optimiser and returns the results of the metrics."""
        if self.takes_own_step:
            return self.own_step(inputs)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, training=True) + added_loss(self)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self.get_metrics_result()

    def test_step(self, inputs: Any) -> dict[str, Any]:
        """Adds a batch to the metrics and returns their results."""
        self.compute_loss(inputs, training=False)
        return self.get_metrics_result()
