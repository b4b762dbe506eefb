"""The ranking model for `compile` and `fit`, in both Kerases."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import IS_TENSORFLOW, keras
from home_tf.losses import MaskedLoss
from home_tf.models.batch import unpack_batch
from home_tf.models.gradients import added_loss
from home_tf.models.keras3_steps import Keras3Steps
from home_tf.models.ranking_methods import RankingMethods


@keras.saving.register_keras_serializable(package="home_tf")
class RankingModel(RankingMethods, Keras3Steps, keras.Model):
    """Trains a multi-task network on the weighted sum of its tasks' losses.

    `fit` and `evaluate` report the streaming `<task>_log_loss` and `<task>_auc`, for
    regression tasks `<task>_loss`, `<task>_mae` and `<task>_rmse`, and as `loss` the
    sum of the losses weighted by `loss_weights`, whatever the loss weighting; each over
    all rows seen. Its counterpart for TFRS is `home_tf.tfrs.RankingModel`.

    `model(features)` returns logits, which the losses need; `model.predict` returns
    probabilities, or numbers for regression tasks. A feature that is NaN or infinite
    raises an error that names it.

    Args:
        network: Layer or model from features to logits `{task: (batch, 1)}`:
            `RankingNetwork`, or any other.
        tasks: Names of the tasks.
        loss_weights: `{task: weight}`; 1 for tasks that are not named.
        loss_weighting: How the losses, times `loss_weights`, become one: `"sum"`,
            `"uncertainty"`, `"gradnorm"`, `"pcgrad"`, or an object of
            `home_tf.loss_weighting`. Learnt weights are reported as
            `<task>_loss_weight`.
        task_losses: `{task: loss}`, such as `MaskedRegressionLoss` for a regression
            task; `MaskedBinaryCrossentropy` for tasks that are not named.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If the network belongs to the other Keras, if loss weights name
            unknown tasks, if the loss weighting is unknown or does not go with the
            loss weights or the network, or if the backend is not TensorFlow.

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
        if not IS_TENSORFLOW:
            raise ValueError(
                "`RankingModel` needs the TensorFlow backend. Received: "
                f"{keras.backend.backend()!r}. The layers run on every backend"
            )
        super().__init__(**kwargs)
        self._set_network(network, tasks, loss_weights, loss_weighting, task_losses)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """This replica's share of the loss: weighted task losses and added losses.

        PCGrad changes only the gradients: its loss is the plain sum.
        """
        _, labels, weights = unpack_batch((x, y, sample_weight), self.tasks)
        losses = self.weighted_losses(labels, y_pred, weights)
        return self.loss_weighting.combine(losses) + added_loss(self)

    def weighted_losses(
        self,
        labels: Mapping[str, Any],
        logits: Mapping[str, Any],
        sample_weights: Mapping[str, Any],
    ) -> dict[str, Any]:
        """This replica's shares of the tasks' losses, times `loss_weights`."""
        return {
            task: self.loss_weights[task]
            * task_loss(labels[task], logits[task], sample_weights.get(task))
            for task, task_loss in self.task_losses.items()
        }

    def train_step(self, data: Any) -> dict[str, Any]:
        """Takes one step of the optimiser and returns the results of the metrics."""
        if self.takes_own_step:
            return self.own_step(data)
        results: dict[str, Any] = super().train_step(data)
        return results

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Adds a batch to the metrics and returns their results."""
        self.update_metrics((x, y, sample_weight), y_pred)
        return self.get_metrics_result()
