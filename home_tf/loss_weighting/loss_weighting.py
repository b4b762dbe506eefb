"""The plain sum of the tasks' losses, and the interface of loss weightings."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import IS_LEGACY, keras, ops
from home_tf.loss_weighting.task_gradients import TaskGradients


@keras.saving.register_keras_serializable(package="home_tf")
class LossWeighting(keras.layers.Layer):
    """The plain sum of the tasks' losses, as in the paper; base of other weightings.

        loss = sum_t L_t

    It is a layer only so that its weights are saved and trained with the model's; it is
    never called. Each object belongs to one model.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        needs_task_gradients: Whether a step needs the gradient of every task's loss,
            so that the model must call `gradients`.
        needs_features: Whether it needs gradients at the network's concatenated
            features.
        learns_weights: Whether the tasks' weights are learnt.
        tasks: Names of the tasks, once `start` was called.

    References:
        HoME (arXiv 2408.05430), the loss below eq. 3.
    """

    needs_task_gradients = False
    needs_features = False
    learns_weights = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tasks: tuple[str, ...] = ()

    def start(self, tasks: Sequence[str]) -> None:
        """Creates the weights for these tasks; the model calls it once.

        Raises:
            ValueError: If the object already belongs to another model.
        """
        if self.tasks:
            raise ValueError(
                "`loss_weighting` must not be shared between models. Received: the "
                f"`{type(self).__name__}` of a model with tasks {list(self.tasks)}. "
                "Make a new one"
            )
        self.tasks = tuple(tasks)
        self.built = True

    def combine(self, losses: Mapping[str, Any]) -> Any:
        """This replica's share of the loss, from its shares of the tasks' losses."""
        loss = ops.convert_to_tensor(0.0)
        for task_loss in losses.values():
            loss += task_loss
        return loss

    def task_weights(self) -> dict[str, Any]:
        """`{task: weight}` as learnt so far; empty if weights are not learnt."""
        return {}

    def results(self) -> dict[str, Any]:
        """The learnt weights as the model reports them, `{<task>_loss_weight: ...}`."""
        weights = self.task_weights()
        return {f"{task}_loss_weight": weight for task, weight in weights.items()}

    def gradients(self, found: TaskGradients, weights: Sequence[Any]) -> list[Any]:
        """This replica's shares of the gradients to apply.

        Args:
            found: The backward passes of the step.
            weights: The model's trainable weights.

        Returns:
            A gradient for each weight; None where no loss depends on it.
        """
        raise NotImplementedError

    def _add_state(self, name: str, initializer: str) -> Any:
        """Creates one value per task, equal on all replicas and not trained."""
        aggregation: Any = "only_first_replica"
        if IS_LEGACY:
            import tensorflow as tf

            aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return self.add_weight(
            name=name,
            shape=(len(self.tasks),),
            initializer=initializer,
            trainable=False,
            aggregation=aggregation,
        )

    def _by_task(self, values: Any) -> dict[str, Any]:
        values = ops.convert_to_tensor(values)
        return {task: values[index] for index, task in enumerate(self.tasks)}
