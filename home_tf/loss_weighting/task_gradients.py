"""The backward passes of one training step, task by task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskGradients:
    """The backward passes of one training step, task by task.

    Every value is this replica's share; the shares sum up over the replicas.

    Attributes:
        tape: The persistent `tf.GradientTape` that recorded the step.
        losses: `{task: loss}`.
        added: The sum of the losses that the network's layers add.
        features: The concatenated features `v` that the tasks share, `(batch, width)`;
            None if the loss weighting does not need them.
        scale: Factor of all gradients, by which mixed precision keeps them from
            underflow; the optimiser takes it out again.
        step: Number of steps done.
    """

    tape: Any
    losses: Mapping[str, Any]
    added: Any
    features: Any
    scale: Any
    step: Any

    def of_task(self, task: str, sources: Any) -> Any:
        """The gradients of one task's loss with respect to `sources`."""
        return self.tape.gradient(
            self.losses[task], sources, output_gradients=self.scale
        )

    def of_sum(self, factors: Mapping[str, Any], sources: Sequence[Any]) -> list[Any]:
        """The gradients of `sum_t factor_t L_t + added` with respect to `sources`."""
        tasks = list(self.losses)
        gradients: list[Any] = self.tape.gradient(
            [*(self.losses[task] for task in tasks), self.added],
            list(sources),
            output_gradients=[
                *(factors[task] * self.scale for task in tasks),
                self.scale,
            ],
        )
        return gradients
