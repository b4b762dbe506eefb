"""Loss weights from the learnt uncertainty of the tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import num_replicas, sum_over_replicas
from home_tf.loss_weighting.loss_weighting import LossWeighting


@keras.saving.register_keras_serializable(package="home_tf")
class Uncertainty(LossWeighting):
    """Weighs a task's loss by its learnt uncertainty `s_t = log sigma_t^2`.

        loss = sum_t exp(-s_t) L_t + s_t / 2

    This is the form for classification, `L_t / sigma_t^2 + log sigma_t`. The model's
    optimiser trains `s_t`, which starts at 0. At the optimum `exp(-s_t) = 1 / (2 L_t)`:
    every task's weighted loss is 1/2, whatever its scale. The `s_t` of a task without a
    valid label in the global batch does not change.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Examples:
        >>> model = RankingModel(network, tasks, loss_weighting="uncertainty")

    References:
        Kendall, Gal, Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses"
        (arXiv 1705.07115), eq. 10.
    """

    learns_weights = True

    def start(self, tasks: Sequence[str]) -> None:
        """Creates `s_t`."""
        super().start(tasks)
        self.log_variances = self.add_weight(
            name="log_variances", shape=(len(self.tasks),), initializer="zeros"
        )

    def combine(self, losses: Mapping[str, Any]) -> Any:
        """This replica's share of the loss, from its shares of the tasks' losses."""
        values = ops.stack([losses[task] for task in self.tasks])
        log_variances = ops.convert_to_tensor(self.log_variances)
        present = ops.cast(sum_over_replicas(values) > 0.0, "float32")
        penalties = present * log_variances / (2.0 * num_replicas())
        return ops.sum(ops.exp(-log_variances) * values + penalties)

    def task_weights(self) -> dict[str, Any]:
        """`{task: exp(-s_t)}`."""
        return self._by_task(ops.exp(-ops.convert_to_tensor(self.log_variances)))
