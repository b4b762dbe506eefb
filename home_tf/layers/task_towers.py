"""One tower per task: from its representation to its logit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from home_tf.backend import keras, ops
from home_tf.layers.layer import Layer, check_units, is_rank
from home_tf.layers.parallel_mlps import ParallelMLPs


@keras.saving.register_keras_serializable(package="home_tf")
class TaskTowers(Layer):
    """Maps every task's representation to its logit: `MLP_T(h)` of eq. 1.

    The probability is `Sigmoid(logit)`; the losses of this package take logits.

    Args:
        tasks: Names of the tasks.
        hidden_units: Widths of the hidden ReLU layers of each tower.
        prior_rates: `{task: rate}`, the positive rate of every task: its tower's bias
            starts at the log-odds of the rate. By default a tower starts near a
            probability of 0.5, and that of a rare task takes long to come down.
        kernel_initializer: Initialiser of the kernels; every tower draws its own
            values.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Dict `{task: (batch, D)}`, as `HoME` returns it.

    Output shape:
        Dict `{task: (batch, 1)}`: logits, in float32.

    Raises:
        ValueError: If a task is named twice or missing from the input, the tasks'
            widths differ, or `prior_rates` lacks a task or is not between 0 and 1.

    Examples:
        >>> logits = TaskTowers(["click", "like"], hidden_units=(32,))(representations)

    References:
        HoME (arXiv 2408.05430), eq. 1.
    """

    input_rule = "a dict {task: tensor of shape (batch, D)}"

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        hidden_units: Sequence[int] = (32,),
        prior_rates: Mapping[str, float] | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = tuple(tasks)
        if (
            isinstance(tasks, str)
            or not tasks
            or len(set(self.tasks)) < len(self.tasks)
        ):
            raise ValueError(
                "`tasks` must be a sequence of distinct task names. Received: "
                f"{tasks!r}"
            )
        self.hidden_units = check_units("hidden_units", hidden_units)
        self.prior_rates = self._check_rates(prior_rates)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.mlps = ParallelMLPs(
            len(self.tasks),
            (*self.hidden_units, 1),
            last_bias_initializer=self._bias_initializer(),
            kernel_initializer=self.kernel_initializer,
        )

    def _check_rates(
        self, rates: Mapping[str, float] | None
    ) -> dict[str, float] | None:
        if rates is None:
            return None
        if set(rates) != set(self.tasks) or not all(0 < r < 1 for r in rates.values()):
            raise ValueError(
                "`prior_rates` must give each task a rate strictly between 0 and 1. "
                f"Received: {dict(rates)} for tasks {list(self.tasks)}"
            )
        return {task: float(rates[task]) for task in self.tasks}

    def _bias_initializer(self) -> Any:
        if self.prior_rates is None:
            return "zeros"
        rates = np.array(list(self.prior_rates.values()))
        log_odds = np.log(rates) - np.log1p(-rates)
        return keras.initializers.Constant(log_odds.tolist())

    def _accepts(self, shapes: Any) -> bool:
        # `build` reports a missing task.
        return isinstance(shapes, dict) and all(
            is_rank(2, shape) for shape in shapes.values()
        )

    def _shapes_read(self, shapes: Any) -> list[Any]:
        return [shapes[task] for task in self.tasks if task in shapes]

    def build(self, input_shape: Mapping[str, Sequence[int | None]]) -> None:
        """Creates the weights of all towers."""
        missing = [task for task in self.tasks if task not in input_shape]
        if missing:
            raise ValueError(
                f"The input of `TaskTowers` lacks tasks {missing}. Received: tasks "
                f"{sorted(input_shape)}"
            )
        widths = {task: self._fix_width(input_shape[task]) for task in self.tasks}
        if len(set(widths.values())) > 1:
            raise ValueError(
                "The input of `TaskTowers` must have the same width for every task. "
                f"Received: widths {widths}"
            )
        self.mlps.build(self, widths[self.tasks[0]])
        self.built = True

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """`{task: (batch, D)}` to logits `{task: (batch, 1)}`."""
        x = self.mlps([inputs[task] for task in self.tasks])
        logits = ops.split(ops.cast(x, "float32"), len(self.tasks), axis=-1)
        return dict(zip(self.tasks, logits, strict=True))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "hidden_units": list(self.hidden_units),
            "prior_rates": self.prior_rates,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
