"""AUC from histograms of logits, for one group or many."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from home_tf.backend import IS_TENSORFLOW, keras, ops
from home_tf.errors import check_at_least


class HistogramAUC(keras.metrics.Metric):
    """The AUC within each group, averaged by rows, from histograms of the logits.

    Private to the package: the base of `MaskedAUC`, which has one group, and of
    `GroupedAUC`. The state is a histogram of the positives' and of the negatives'
    logits for each group, however many rows are seen. Histograms can be added, so
    replicas and metrics can be merged. Bins are equally wide in the logit, since the
    probabilities of a rare event would share a single bin; logits beyond `logit_range`
    fall in the first or last one.

    Args:
        num_groups: Number of groups.
        num_bins: Number of bins.
        logit_range: Lowest and highest logit that the bins resolve.
        from_logits: Whether predictions are logits; else they are probabilities.
        **kwargs: Arguments of `keras.metrics.Metric`.
    """

    def __init__(
        self,
        num_groups: int,
        *,
        num_bins: int,
        logit_range: Sequence[float],
        from_logits: bool,
        **kwargs: Any,
    ) -> None:
        self._check_arguments(num_groups, num_bins, logit_range)
        super().__init__(**kwargs)
        self.num_groups = num_groups
        self.num_bins = num_bins
        self.logit_range = (float(logit_range[0]), float(logit_range[1]))
        self.from_logits = from_logits
        self.positives = self._add_histograms("positives")
        self.negatives = self._add_histograms("negatives")

    @property
    def _histograms(self) -> tuple[Any, Any]:
        return self.positives, self.negatives

    def _check_arguments(
        self, num_groups: int, num_bins: int, logit_range: Sequence[float]
    ) -> None:
        if not IS_TENSORFLOW:
            raise ValueError(
                f"`{type(self).__name__}` needs the TensorFlow backend. Received: "
                f"{keras.backend.backend()!r}. `home_tf.evaluation` needs none"
            )
        check_at_least("num_groups", num_groups, 1)
        check_at_least("num_bins", num_bins, 2)
        low, high = logit_range
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                "`logit_range` must be two finite logits, the lower first. Received: "
                f"logit_range={tuple(logit_range)}"
            )

    def _add_histograms(self, name: str) -> Any:
        shape = (self.num_groups, self.num_bins)
        return self.add_weight(
            name=name, shape=shape, initializer="zeros", dtype="float32"
        )

    def _binned(self, labels: Any, scores: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Finds what to add to which bins; rows of weight 0 add nothing.

        Args:
            labels: 0 or 1, `(batch,)`; NaN makes the result NaN.
            scores: Logits or probabilities, `(batch,)`; NaN makes the result NaN.
            weights: `(batch,)`; NaN makes the result NaN.

        Returns:
            The bins, and the weights of positives and of negatives in them; `(batch,)`.
        """
        unsound = ops.isnan(scores)
        bins = self._bins(ops.where(unsound, ops.zeros_like(scores) + 0.5, scores))
        nothing = ops.zeros_like(weights)
        # Values that cannot be counted make the result NaN.
        weights = ops.where(unsound & (weights != 0.0), nothing + math.nan, weights)
        counted = weights != 0.0
        positive = ops.where(counted, weights * labels, nothing)
        negative = ops.where(counted, weights * (1.0 - labels), nothing)
        return bins, positive, negative

    def _bins(self, scores: Any) -> Any:
        logits = scores
        if not self.from_logits:
            logits = ops.log(scores) - ops.log1p(-scores)
        low, high = self.logit_range
        places = (logits - low) * (self.num_bins / (high - low))
        return ops.cast(ops.clip(places, 0.0, self.num_bins - 1.0), "int64")

    def result(self) -> Any:
        """The mean AUC over the rows seen; NaN if no group has both classes."""
        positives, negatives = self._tables()
        below = ops.cumsum(negatives, axis=1) - negatives / 2.0
        return _mean_over_groups(positives * below, positives, negatives)

    def error_bound(self) -> Any:
        """The largest possible error of `result` on the rows seen.

        Returns:
            A scalar in [0, 0.5]: half the share of pairs within a single bin, averaged
            over the groups like `result`; NaN if the result is.
        """
        positives, negatives = self._tables()
        return _mean_over_groups(positives * negatives / 2.0, positives, negatives)

    def _tables(self) -> tuple[Any, Any]:
        # Read once: under a distribution strategy each read sums over the replicas.
        return (
            ops.convert_to_tensor(self.positives),
            ops.convert_to_tensor(self.negatives),
        )

    def merge_state(self, metrics: Iterable["HistogramAUC"]) -> None:
        """Adds the counts of other metrics with the same arguments."""
        for metric in metrics:
            for argument in ("num_groups", "num_bins", "logit_range"):
                mine, others = getattr(self, argument), getattr(metric, argument)
                if mine != others:
                    raise ValueError(
                        f"`{argument}` must be the same in metrics that are merged. "
                        f"Received: {mine} and {others}"
                    )
            self.positives.assign_add(ops.convert_to_tensor(metric.positives))
            self.negatives.assign_add(ops.convert_to_tensor(metric.negatives))

    def reset_state(self) -> None:
        """Forgets all rows."""
        for histograms in self._histograms:
            histograms.assign(ops.zeros_like(histograms))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "logit_range": list(self.logit_range),
            "from_logits": self.from_logits,
        }


def _mean_over_groups(pairs: Any, positives: Any, negatives: Any) -> Any:
    """The share of a group's pairs, averaged over the rows of groups with both classes.

    Args:
        pairs: Number of pairs, `(groups, bins)`, to be summed over the bins.
        positives: Number of positives, `(groups, bins)`.
        negatives: Number of negatives, `(groups, bins)`.

    Returns:
        A scalar; NaN if no group has both classes.
    """
    shares = auc_of_groups(pairs, positives, negatives)
    positives, negatives = ops.sum(positives, axis=1), ops.sum(negatives, axis=1)
    zeros = ops.zeros_like(shares)
    # NaN is not 0, so values that cannot be counted reach the result.
    single = positives * negatives == 0.0
    rows = ops.where(single, zeros, positives + negatives)
    return ops.sum(rows * ops.where(single, zeros, shares)) / ops.sum(rows)


def auc_of_groups(pairs: Any, positives: Any, negatives: Any) -> Any:
    """The share of each group's pairs.

    Args:
        pairs: Number of pairs, `(groups, bins)`, to be summed over the bins.
        positives: Number of positives, `(groups, bins)`.
        negatives: Number of negatives, `(groups, bins)`.

    Returns:
        `(groups,)`; NaN for a group of a single class.
    """
    all_pairs = ops.sum(positives, axis=1) * ops.sum(negatives, axis=1)
    return ops.sum(pairs, axis=1) / all_pairs
