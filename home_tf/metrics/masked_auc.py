"""Streaming AUC over the rows with a known label."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses.labels import split_missing
from home_tf.metrics.histogram_auc import HistogramAUC


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedAUC(HistogramAUC):
    """AUC from histograms of logits; rows without a label are ignored.

    `keras.metrics.AUC` spaces its thresholds evenly in the probability, so that all
    predictions of a rare task fall between two of them. Here the bins are equally wide
    in the logit. A pair of a positive and a negative in different bins is in its true
    order; a pair in the same bin counts as half, so it is wrong by at most a half. With
    `P_b` and `N_b` positives and negatives in a bin, and `P` and `N` in all, the error
    of the result is therefore at most

        sum_b P_b N_b / (2 P N),

    which `error_bound` returns. The actual error is smaller, since the pairs in a bin
    are ordered both ways. For logits with a standard deviation of 1 the bound is about
    0.002, whatever the share of positives. Counts are exact up to 2^24 rows in a bin.

    Args:
        name: Name of the metric.
        num_bins: Number of bins; doubling it halves the bound.
        logit_range: Lowest and highest logit that the bins resolve. The default covers
            probabilities from 1e-7 to 1 - 1e-7, in steps of 1/64 in the logit.
        from_logits: Whether predictions are logits; else they are probabilities.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`; 0 or 1, NaN or -1 where missing.
        - `y_pred`: Logits, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, not negative, or None. The weight of a
          pair is the product of its rows' weights.

    Raises:
        ValueError: If an argument is out of its range, metrics to merge have
            different arguments, or the backend is not TensorFlow.
    """

    def __init__(
        self,
        name: str = "auc",
        *,
        num_bins: int = 2048,
        logit_range: Sequence[float] = (-16.0, 16.0),
        from_logits: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            1,
            num_bins=num_bins,
            logit_range=logit_range,
            from_logits=from_logits,
            name=name,
            **kwargs,
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        labels, scores, weights, _ = split_missing(y_true, y_pred, sample_weight)
        bins, *counts = self._binned(labels, scores, weights)
        for histogram, count in zip(self._histograms, counts, strict=True):
            histogram.assign_add(ops.segment_sum(count, bins, self.num_bins)[None])
