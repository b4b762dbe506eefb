"""Loss weights that balance the norms of the tasks' gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import sum_over_replicas
from home_tf.loss_weighting.loss_weighting import LossWeighting
from home_tf.loss_weighting.task_gradients import TaskGradients

_TINY = 1e-30


@keras.saving.register_keras_serializable(package="home_tf")
class GradNorm(LossWeighting):
    """Learns weights `w_t` that bring the tasks' gradients to comparable norms.

        loss   = sum_t w_t L_t
        G_t    = |d (w_t L_t) / dv|                 over all rows of the global batch
        r_t    = (L_t / L_t(0)) / mean over tasks   relative inverse training rate
        L_grad = sum_t |G_t / mean(G) - r_t^alpha|  the target being a constant

    After each step, `log w_t` takes a step of gradient descent on `L_grad`, and the
    weights are scaled to sum to the number of tasks. They start at 1.

    The paper takes the gradient with respect to the weights of the last shared layer.
    Not every architecture has one, so here it is taken with respect to what all of them
    share: the concatenated features `v`, which the network's representations read. Two
    more changes make the weights positive and independent of the loss's scale: `L_grad`
    is divided by `mean(G)`, and the step is taken in `log w_t`. A task without a valid
    label in the global batch is left out of the means and keeps its weight.

    Compared with the plain sum, a step costs an extra backward pass from each task's
    loss to `v`.

    Args:
        alpha: Strength of the pull that gives tasks which train slowly larger
            gradients; 0 aims at equal norms.
        learning_rate: Learning rate of `log w_t`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `alpha` is negative, or `learning_rate` not positive.

    Examples:
        >>> model = RankingModel(network, tasks, loss_weighting=GradNorm(alpha=0.5))

    References:
        Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing in
        Deep Multitask Networks" (arXiv 1711.02257), eq. 1, 2 and algorithm 1.
    """

    needs_task_gradients = True
    needs_features = True
    learns_weights = True

    def __init__(
        self, *, alpha: float = 1.5, learning_rate: float = 0.025, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if alpha < 0.0:
            raise ValueError(f"`alpha` must not be negative. Received: {alpha!r}")
        if learning_rate <= 0.0:
            raise ValueError(
                f"`learning_rate` must be positive. Received: {learning_rate!r}"
            )
        self.alpha = alpha
        self.learning_rate = learning_rate

    def start(self, tasks: Sequence[str]) -> None:
        """Creates `w_t` and the variables for `L_t(0)`."""
        super().start(tasks)
        self.loss_weights = self._add_state("loss_weights", "ones")
        self.first_losses = self._add_state("first_losses", "zeros")

    def combine(self, losses: Mapping[str, Any]) -> Any:
        """This replica's share of the loss, from its shares of the tasks' losses."""
        weights = self.task_weights()
        return super().combine({t: weights[t] * loss for t, loss in losses.items()})

    def task_weights(self) -> dict[str, Any]:
        """`{task: w_t}`."""
        return self._by_task(self.loss_weights)

    def gradients(self, found: TaskGradients, weights: Sequence[Any]) -> list[Any]:
        """The gradients of `sum_t w_t L_t`; updates `w_t` for the next step."""
        gradients = found.of_sum(self.task_weights(), weights)
        squares = [_squared_norm(found, task) for task in self.tasks]
        losses = [found.losses[task] for task in self.tasks]
        self._update(
            ops.sqrt(sum_over_replicas(ops.stack(squares))),
            sum_over_replicas(ops.stack(losses)),
        )
        return gradients

    def _update(self, norms: Any, losses: Any) -> None:
        """Updates the weights from `|d L_t / dv|`, times any constant, and `L_t`."""
        weights = ops.convert_to_tensor(self.loss_weights)
        first = ops.convert_to_tensor(self.first_losses)
        first = ops.where(first > 0.0, first, losses)
        present = ops.cast(norms > 0.0, "float32")
        shares = _over_mean(weights * norms, present)  # G_t / mean(G)
        rates = _over_mean(losses / ops.maximum(first, _TINY), present)
        steps = ops.sign(shares - rates**self.alpha) * shares
        new = weights * ops.exp(-self.learning_rate * present * steps)
        new = new * (len(self.tasks) / ops.sum(new))
        # Gradients that overflow in half precision are skipped by the optimiser too.
        self.loss_weights.assign(ops.where(ops.isfinite(new), new, weights))
        self.first_losses.assign(first)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the object."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "learning_rate": self.learning_rate,
        }


def _squared_norm(found: TaskGradients, task: str) -> Any:
    gradient = found.of_task(task, found.features)
    if gradient is None:
        return ops.convert_to_tensor(0.0)
    return ops.sum(ops.cast(gradient, "float32") ** 2)


def _over_mean(values: Any, present: Any) -> Any:
    """Divides the values by their mean, which is taken where `present` is 1."""
    mean = ops.sum(present * values) / ops.maximum(ops.sum(present), 1.0)
    return values / ops.maximum(mean, _TINY)
