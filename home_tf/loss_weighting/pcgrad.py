"""PCGrad: task gradients, projected so that they do not conflict."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.loss_weighting.loss_weighting import LossWeighting
from home_tf.loss_weighting.task_gradients import TaskGradients


@keras.saving.register_keras_serializable(package="home_tf")
class PCGrad(LossWeighting):
    """Projects every task's gradient onto the normal plane of those it conflicts with.

        g'_i = g_i
        for every other task j, in random order:
            if g'_i . g_j < 0:  g'_i = g'_i - (g'_i . g_j) / |g_j|^2 g_j
        gradient = sum_i g'_i

    `g_i` is the gradient of task i's loss over the global batch with respect to all
    weights, including those of each task's own experts and tower: as in the authors'
    code, they count in `|g_j|`. The order is drawn from `seed` and the step number, so
    it is the same on every replica and in a resumed training; XLA draws another order.

    The result is a sum `sum_j c_j g_j` whose factors follow from the inner products of
    the tasks' gradients alone. Compared with the plain sum, a step costs an extra
    backward pass per task, the time to trace it, the memory of all task gradients and,
    under a `tf.distribute` strategy, their sum over the replicas.

    Args:
        seed: Seed of the random order.
        **kwargs: Arguments of `keras.layers.Layer`.

    Examples:
        >>> model = RankingModel(network, tasks, loss_weighting="pcgrad")

    References:
        Yu et al., "Gradient Surgery for Multi-Task Learning" (arXiv 2001.06782),
        algorithm 1.
    """

    needs_task_gradients = True

    def __init__(self, *, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def gradients(self, found: TaskGradients, weights: Sequence[Any]) -> list[Any]:
        """The sum of the projected gradients of all tasks."""
        # Imports TensorFlow, which the package's layers do without.
        from home_tf.loss_weighting.projection import (
            inner_products,
            projection_factors,
            random_orders,
        )

        by_task = [found.of_task(task, list(weights)) for task in self.tasks]
        factors = projection_factors(
            inner_products([of for of in zip(*by_task, strict=True) if _reached(of)]),
            random_orders(len(self.tasks), self.seed, found.step),
        )
        return found.of_sum(self._by_task(factors), weights)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the object."""
        return {**super().get_config(), "seed": self.seed}


def _reached(gradients: Sequence[Any]) -> bool:
    return any(gradient is not None for gradient in gradients)
