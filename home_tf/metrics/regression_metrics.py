"""The streaming loss and errors of a model's regression tasks."""

from collections.abc import Mapping
from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses import MaskedLoss

_SUMS = ("losses", "rows", "weights", "absolute", "squared")


@keras.saving.register_keras_serializable(package="home_tf")
class RegressionMetrics(keras.metrics.Metric):
    """The mean loss, MAE and RMSE of each regression task over all rows seen.

    Private to the package: the metrics that every ranking model reports. Errors are in
    the unit of the labels, and weighted by the sample weights.

    Args:
        losses: `{task: loss}`.
        **kwargs: Arguments of `keras.metrics.Metric`.
    """

    def __init__(self, losses: Mapping[str, MaskedLoss], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task_losses = dict(losses)
        self._sums = {
            task: {
                name: self.add_weight(
                    name=f"{task}_{name}", shape=(), initializer="zeros"
                )
                for name in _SUMS
            }
            for task in self.task_losses
        }

    def update_state(
        self,
        labels: Mapping[str, Any],
        outputs: Mapping[str, Any],
        sample_weights: Mapping[str, Any],
    ) -> None:
        """Adds a batch.

        Args:
            labels: `{task: (batch,) or (batch, 1)}`, NaN where missing.
            outputs: `{task: (batch,) or (batch, 1)}`, the outputs of the towers.
            sample_weights: The same, for some tasks or none.
        """
        for task, loss in self.task_losses.items():
            y, o, w, valid = loss.split_missing(
                labels[task], outputs[task], sample_weights.get(task)
            )
            error = loss.to_prediction(o) - y
            added = {
                "losses": w * loss.of_rows(y, o),
                "rows": valid,
                "weights": w,
                "absolute": w * ops.abs(error),
                "squared": w * error * error,
            }
            for name, values in added.items():
                self._sums[task][name].assign_add(ops.sum(values))

    def result(self) -> dict[str, Any]:
        """`{<task>_loss: ..., <task>_mae: ..., <task>_rmse: ...}`; NaN without rows."""
        found = {}
        for task, sums in self._sums.items():
            found[f"{task}_loss"] = sums["losses"] / sums["rows"]
            found[f"{task}_mae"] = sums["absolute"] / sums["weights"]
            found[f"{task}_rmse"] = ops.sqrt(sums["squared"] / sums["weights"])
        return found

    @property
    def names(self) -> list[str]:
        """The names in `result`, in order."""
        return [f"{t}_{name}" for t in self._sums for name in ("loss", "mae", "rmse")]

    def weighted_loss(self, loss_weights: Mapping[str, float]) -> Any:
        """The weighted sum of the losses; a task without labels adds nothing."""
        return sum(
            loss_weights[task] * sums["losses"] / ops.maximum(sums["rows"], 1.0)
            for task, sums in self._sums.items()
        )

    def reset_state(self) -> None:
        """Forgets all rows."""
        for sums in self._sums.values():
            for value in sums.values():
                value.assign(ops.zeros_like(value))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        serialize = keras.saving.serialize_keras_object
        losses = {task: serialize(loss) for task, loss in self.task_losses.items()}
        return {"name": self.name, "losses": losses}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RegressionMetrics":
        """Rebuilds the metric from `get_config()`."""
        rebuild = keras.saving.deserialize_keras_object
        losses = {task: rebuild(one) for task, one in config["losses"].items()}
        return cls(**{**config, "losses": losses})
