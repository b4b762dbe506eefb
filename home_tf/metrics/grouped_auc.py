"""Streaming GAUC: the AUC within each group, averaged by impressions."""

import math
from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.checked import checked
from home_tf.backend.variables import add_at
from home_tf.losses.labels import split_missing
from home_tf.metrics.histogram_auc import HistogramAUC


@keras.saving.register_keras_serializable(package="home_tf")
class GroupedAUC(HistogramAUC):
    """GAUC (equation 12 of the paper) from counts of binned logits.

    `GAUC = sum_u w_u AUC_u`, where `w_u` is the share of the rows that belong to the
    group, usually a user. Groups with a single class are left out, and the weights of
    the others are scaled to sum to 1, as in `home_tf.evaluation.gauc`.

    The state is a histogram of the positives' and of the negatives' logits for each
    group: `8 * num_groups * num_bins` bytes, however many rows are seen. Histograms
    can be added, so replicas and metrics can be merged. A pair of a positive and a
    negative in different bins is in its true order; a pair in the same bin counts as
    half, so it is wrong by at most a half. With `P_ub` and `N_ub` positives and
    negatives of a group in a bin, the error of the result is therefore at most

        sum_u w_u (sum_b P_ub N_ub) / (2 P_u N_u),

    which `error_bound` returns. Rounding in float32 adds less than 1e-6; counts are
    exact up to 2^24 rows in a bin of a group. Bins are equally wide in the logit, since
    the probabilities of a rare event would share a single bin. Logits beyond
    `logit_range` fall in the first or last bin; the bound shows when that matters.

    The cost of an update does not depend on the size of the histograms. A result reads
    all of them, so compute it after a pass over the data, not after every batch. Under
    a distribution strategy, call `update_state` inside `strategy.run` and `result`
    outside of it.

    Args:
        num_groups: Number of groups. Ids are in `[0, num_groups)`, as the lookups of
            `Preprocessor` and of Keras return them (their number is
            `EmbeddingTable.size`).
        num_bins: Number of bins; doubling it halves the bound.
        logit_range: Lowest and highest logit that the bins resolve. The default covers
            probabilities from 0.00005 to 0.998, in steps of 1/16 in the logit.
        from_logits: Whether predictions are logits; else they are probabilities.
        missing_group: The id that means "no group", such as 0 in a lookup with a mask
            token: its rows do not count. None if every id is a group.
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`: 0 or 1, NaN or -1 where missing.
        - `y_pred`: Logits or probabilities, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, not negative, or None for ones. The
          weight of a pair is the product of its rows' weights, that of a group the sum.
          Rows of weight 0 do not count: use it for users outside the vocabulary, whom a
          lookup maps to a single id.
        - `groups`: Integer ids, `(batch,)` or `(batch, 1)`. Required.

    Raises:
        ValueError: If an argument is out of its range, groups are missing or not
            integers, metrics to merge have different arguments, or the backend is not
            TensorFlow.
        tf.errors.InvalidArgumentError: If a row that counts has a group out of range.
            Code compiled by XLA raises nothing: there the result is NaN, as it is when
            a prediction is NaN.

    Examples:
        >>> metric = GroupedAUC(num_groups=30_000)
        >>> for features, labels in dataset:
        ...     metric.update_state(labels, model(features), groups=features["user"])
        >>> metric.result(), metric.error_bound()

    References:
        HoME (https://arxiv.org/abs/2408.05430), equation 12.
    """

    def __init__(
        self,
        num_groups: int,
        *,
        num_bins: int = 256,
        logit_range: Sequence[float] = (-10.0, 6.0),
        from_logits: bool = True,
        missing_group: int | None = -1,
        name: str = "gauc",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_groups,
            num_bins=num_bins,
            logit_range=logit_range,
            from_logits=from_logits,
            name=name,
            **kwargs,
        )
        self.missing_group = missing_group

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, *, groups: Any = None
    ) -> None:
        """Adds a batch."""
        labels, scores, weights, _ = split_missing(y_true, y_pred, sample_weight)
        groups = _integer_ids(groups)
        if self.missing_group is not None:
            named = groups != self.missing_group
            weights = ops.where(named, weights, ops.zeros_like(weights))
        in_range = (groups >= 0) & (groups < self.num_groups)
        counted = weights != 0.0
        groups = checked(
            groups,
            in_range | ~counted,
            f"`groups` must be ids from 0 to {self.num_groups - 1}, since "
            f"num_groups={self.num_groups}. Map ids to that range with "
            "`keras.layers.IntegerLookup` or `Hashing`, or raise `num_groups`.",
        )
        # Values that cannot be counted make the result NaN.
        nowhere = ops.zeros_like(weights) + math.nan
        weights = ops.where(counted & ~in_range, nowhere, weights)
        bins, *counts = self._binned(labels, scores, weights)
        groups = ops.where(in_range, groups, ops.zeros_like(groups))
        cells = ops.stack([groups, bins], axis=1)
        for histograms, count in zip(self._histograms, counts, strict=True):
            add_at(histograms, cells, count)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "missing_group": self.missing_group,
        }


def _integer_ids(groups: Any) -> Any:
    """The groups as int64, `(batch,)`."""
    if groups is None:
        raise ValueError(
            "`groups` must be given: the group of each row. Received: groups=None. "
            "Call `update_state(y_true, y_pred, groups=...)` in a training or "
            "evaluation loop: `compile(metrics=...)` passes no groups"
        )
    groups = ops.convert_to_tensor(groups)
    dtype = getattr(groups.dtype, "name", groups.dtype)
    if "int" not in dtype:
        raise ValueError(
            f"`groups` must be integer ids. Received: dtype={dtype}. Map strings to "
            "ids with `keras.layers.StringLookup` or `Hashing`"
        )
    return ops.reshape(ops.cast(groups, "int64"), (-1,))
