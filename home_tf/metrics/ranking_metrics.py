"""The streaming log loss and AUC of all tasks of a model, computed together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from home_tf.backend import keras, ops
from home_tf.losses.labels import binary_crossentropy, split_missing
from home_tf.metrics.histogram_auc import HistogramAUC, auc_of_groups

_NUM_BINS = 2048
_LOGIT_RANGE = (-16.0, 16.0)


@keras.saving.register_keras_serializable(package="home_tf")
class RankingMetrics(HistogramAUC):
    """`MaskedLogLoss` and `MaskedAUC` for every task, in a few operations.

    Private to the package: the metrics that every ranking model reports.

    Args:
        tasks: Names of the tasks.
        **kwargs: Arguments of `keras.metrics.Metric`.
    """

    def __init__(self, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(
            len(tasks),
            num_bins=_NUM_BINS,
            logit_range=_LOGIT_RANGE,
            from_logits=True,
            **kwargs,
        )
        self.tasks = list(tasks)
        self.totals, self.counts = (
            self.add_weight(name=name, shape=(len(tasks),), initializer="zeros")
            for name in ("totals", "counts")
        )

    def update_state(
        self,
        labels: Mapping[str, Any],
        logits: Mapping[str, Any],
        sample_weights: Mapping[str, Any],
    ) -> None:
        """Adds a batch.

        Args:
            labels: `{task: (batch,) or (batch, 1)}`; 0 or 1, NaN or -1 where missing.
            logits: `{task: (batch,) or (batch, 1)}`.
            sample_weights: The same, for some tasks or none.
        """
        y = self._stack(labels)
        weights = {task: ops.zeros_like(y[:, 0]) + 1.0 for task in self.tasks}
        weighted = (
            self._stack({**weights, **sample_weights}) if sample_weights else None
        )
        y, scores, w, valid = split_missing(y, self._stack(logits), weighted)
        self._add(self.totals, w * binary_crossentropy(y, scores))
        self._add(self.counts, valid)
        bins, *counts = self._binned(y, scores, w)
        tasks = len(self.tasks)
        first = np.arange(tasks) * self.num_bins  # for each task's histogram
        bins = ops.reshape(ops.reshape(bins, (-1, tasks)) + first, (-1,))
        for histogram, count in zip(self._histograms, counts, strict=True):
            added = ops.segment_sum(count, bins, tasks * self.num_bins)
            histogram.assign_add(ops.reshape(added, (tasks, self.num_bins)))

    def _stack(self, by_task: Mapping[str, Any]) -> Any:
        """Values by task as `(batch, tasks)`."""
        columns = [ops.cast(by_task[task], "float32") for task in self.tasks]
        return ops.concatenate([ops.reshape(x, (-1, 1)) for x in columns], axis=1)

    def _add(self, sums: Any, values: Any) -> None:
        values = ops.reshape(values, (-1, len(self.tasks)))
        sums.assign_add(ops.sum(values, axis=0))

    def result(self) -> dict[str, Any]:
        """`{<task>_log_loss: mean, <task>_auc: AUC}`; NaN where it is undefined."""
        losses = ops.unstack(self.totals / self.counts, axis=0)
        positives, negatives = self._tables()
        below = ops.cumsum(negatives, axis=1) - negatives / 2.0
        aucs = auc_of_groups(positives * below, positives, negatives)
        found = {}
        for number, auc in enumerate(ops.unstack(aucs, axis=0)):
            found[f"{self.tasks[number]}_log_loss"] = losses[number]
            found[f"{self.tasks[number]}_auc"] = auc
        return found

    @property
    def names(self) -> list[str]:
        """The names in `result`, in order."""
        return [f"{t}_{name}" for t in self.tasks for name in ("log_loss", "auc")]

    def weighted_loss(self, loss_weights: Mapping[str, float]) -> Any:
        """The weighted sum of the log losses; a task without labels adds nothing."""
        means = self.totals / ops.maximum(self.counts, 1.0)
        weights = [loss_weights[task] for task in self.tasks]
        return ops.sum(means * np.array(weights, np.float32))

    def reset_state(self) -> None:
        """Forgets all rows."""
        super().reset_state()
        for sums in (self.totals, self.counts):
            sums.assign(ops.zeros_like(sums))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {"name": self.name, "tasks": self.tasks}
