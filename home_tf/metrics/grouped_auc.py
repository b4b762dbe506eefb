"""Streaming GAUC: the AUC within each group, averaged by impressions."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from home_tf.backend import IS_TENSORFLOW, keras, ops
from home_tf.backend.variables import add_at
from home_tf.errors import check_at_least
from home_tf.losses.labels import split_missing


@keras.saving.register_keras_serializable(package="home_tf")
class GroupedAUC(keras.metrics.Metric):
    """GAUC (equation 12 of the paper) from counts of binned logits.

    `GAUC = sum_u w_u AUC_u`, with `w_u` the share of the rows that are the group's,
    usually a user's. Groups with a single class are left out, and the weights of the
    others are scaled to sum to 1, as in `home_tf.evaluation.gauc`.

    The state is a histogram of the positives' and of the negatives' logits for each
    group: `8 * num_groups * num_bins` bytes, however many rows are seen. Histograms
    add up, so that replicas and metrics can be merged. A pair of a positive and a
    negative in different bins is in its true order; a pair in one bin counts half, so
    it is wrong by at most a half. With `P_ub` and `N_ub` positives and negatives of a
    group in a bin, the error of the result is therefore at most

        sum_u w_u (sum_b P_ub N_ub) / (2 P_u N_u),

    which `error_bound` returns. Rounding in float32 adds less than 1e-6; counts are
    exact up to 2^24 rows in a bin of a group. Bins are equally wide in the logit, since
    the probabilities of a rare event would share a single bin. What is beyond
    `logit_range` falls in the first or last bin; the bound tells when that matters.

    An update costs the same whatever the size of the histograms. A result reads all of
    them, so ask for it after a pass over the data and not after every batch. Under a
    distribution strategy, update inside `strategy.run` and ask outside of it.

    Args:
        num_groups: Number of groups. Ids are in `[0, num_groups)`, as the lookups of
            `Preprocessor` and of Keras give them (`EmbeddingTable.size` is the number).
        num_bins: Number of bins; the bound halves when it doubles.
        logit_range: Lowest and highest logit that the bins tell apart. The default is
            probabilities from 0.00005 to 0.998, in steps of 1/16 in the logit.
        from_logits: Whether predictions are logits; else they are probabilities.
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Labels, `(batch,)` or `(batch, 1)`: 0 or 1, NaN or -1 where missing.
        y_pred: Logits or probabilities, `(batch,)` or `(batch, 1)`.
        sample_weight: Weights of the rows, not negative, or None for ones. A pair
            weighs the product of its rows' weights, and a group the sum. Rows of
            weight 0 do not count: give it to users outside the vocabulary, whom a
            lookup takes for one.
        groups: Integer ids, `(batch,)` or `(batch, 1)`. Required.

    Raises:
        ValueError: If an argument is out of its range, groups are missing or no
            integers, metrics to merge differ in their arguments, or the backend is not
            TensorFlow.
        tf.errors.InvalidArgumentError: If a row that counts has a group out of range.
            Code compiled by XLA raises nothing: the result is NaN then, as it is when
            a prediction is NaN.

    Example:
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
        name: str = "gauc",
        **kwargs: Any,
    ) -> None:
        _check_arguments(num_groups, num_bins, logit_range)
        super().__init__(name=name, **kwargs)
        self.num_groups = num_groups
        self.num_bins = num_bins
        self.logit_range = (float(logit_range[0]), float(logit_range[1]))
        self.from_logits = from_logits
        self.positives = self._add_histograms("positives")
        self.negatives = self._add_histograms("negatives")

    def _add_histograms(self, name: str) -> Any:
        shape = (self.num_groups, self.num_bins)
        return self.add_weight(
            name=name, shape=shape, initializer="zeros", dtype="float32"
        )

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, *, groups: Any = None
    ) -> None:
        """Adds a batch."""
        labels, scores, weights, _ = split_missing(y_true, y_pred, sample_weight)
        groups = _integer_ids(groups)
        counted = weights != 0.0
        in_range = (groups >= 0) & (groups < self.num_groups)
        groups = _checked(
            groups,
            in_range | ~counted,
            f"`groups` must be ids from 0 to {self.num_groups - 1}, since "
            f"num_groups={self.num_groups}. Map ids to that range with "
            "`keras.layers.IntegerLookup` or `Hashing`, or raise `num_groups`.",
        )
        sound = in_range & ~ops.isnan(scores)
        nothing = ops.zeros_like(groups)
        cells = ops.stack(
            [
                ops.where(sound, groups, nothing),
                ops.where(sound, self._bins(scores), nothing),
            ],
            axis=1,
        )
        # What cannot be counted makes the result NaN.
        weights = ops.where(sound, weights, ops.zeros_like(weights) + math.nan)
        weights = ops.where(counted, weights, ops.zeros_like(weights))
        add_at(self.positives, cells, weights * labels)
        add_at(self.negatives, cells, weights * (1.0 - labels))

    def _bins(self, scores: Any) -> Any:
        logits = scores
        if not self.from_logits:
            logits = ops.log(scores) - ops.log1p(-scores)
        low, high = self.logit_range
        places = (logits - low) * (self.num_bins / (high - low))
        return ops.cast(ops.clip(places, 0.0, self.num_bins - 1.0), "int64")

    def result(self) -> Any:
        """GAUC of the rows seen; NaN if no group has both classes."""
        positives, negatives = self._tables()
        below = ops.cumsum(negatives, axis=1) - negatives / 2.0
        return _mean_over_groups(positives * below, positives, negatives)

    def error_bound(self) -> Any:
        """How far `result` may be from the exact GAUC of the rows seen.

        Returns:
            A scalar in [0, 0.5]: half the share of the pairs that are in one bin,
            averaged over the groups as `result` is; NaN where the result is.
        """
        positives, negatives = self._tables()
        return _mean_over_groups(positives * negatives / 2.0, positives, negatives)

    def _tables(self) -> tuple[Any, Any]:
        # Read once: under a distribution strategy a reading sums over the replicas.
        return (
            ops.convert_to_tensor(self.positives),
            ops.convert_to_tensor(self.negatives),
        )

    def merge_state(self, metrics: Iterable["GroupedAUC"]) -> None:
        """Adds what other metrics with the same arguments have seen."""
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
        for histograms in (self.positives, self.negatives):
            histograms.assign(ops.zeros_like(histograms))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "num_bins": self.num_bins,
            "logit_range": list(self.logit_range),
            "from_logits": self.from_logits,
        }


def _check_arguments(
    num_groups: int, num_bins: int, logit_range: Sequence[float]
) -> None:
    if not IS_TENSORFLOW:
        raise ValueError(
            "`GroupedAUC` needs the TensorFlow backend. Received: "
            f"{keras.backend.backend()!r}. `home_tf.evaluation.gauc` needs none"
        )
    check_at_least("num_groups", num_groups, 1)
    check_at_least("num_bins", num_bins, 2)
    low, high = logit_range
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            "`logit_range` must be two finite logits, the lower first. Received: "
            f"logit_range={tuple(logit_range)}"
        )


def _integer_ids(groups: Any) -> Any:
    """The groups as int64, `(batch,)`."""
    if groups is None:
        raise ValueError(
            "`groups` must be the group of each row. Received: groups=None. Call "
            "`update_state(y_true, y_pred, groups=...)` in a training or evaluation "
            "loop: `compile(metrics=...)` passes no groups"
        )
    groups = ops.convert_to_tensor(groups)
    dtype = getattr(groups.dtype, "name", groups.dtype)
    if "int" not in dtype:
        raise ValueError(
            f"`groups` must be integer ids. Received: dtype={dtype}. Map strings to "
            "ids with `keras.layers.StringLookup` or `Hashing`"
        )
    return ops.reshape(ops.cast(groups, "int64"), (-1,))


def _mean_over_groups(pairs: Any, positives: Any, negatives: Any) -> Any:
    """The share of a group's pairs, averaged over the rows of groups with both classes.

    Args:
        pairs: Number of pairs, `(groups, bins)`, to be summed over the bins.
        positives: Number of positives, `(groups, bins)`.
        negatives: Number of negatives, `(groups, bins)`.

    Returns:
        A scalar; NaN if no group has both classes.
    """
    positives, negatives = ops.sum(positives, axis=1), ops.sum(negatives, axis=1)
    all_pairs = positives * negatives
    zeros = ops.zeros_like(all_pairs)
    # NaN is not 0, so what cannot be counted reaches the result.
    single = all_pairs == 0.0
    shares = ops.sum(pairs, axis=1) / ops.where(single, zeros + 1.0, all_pairs)
    rows = ops.where(single, zeros, positives + negatives)
    return ops.sum(rows * shares) / ops.sum(rows)


def _checked(values: Any, valid: Any, message: str) -> Any:
    """Returns values as they are, or raises while the graph runs; TensorFlow only.

    Args:
        values: Tensor of numbers, whose lowest and highest an error names.
        valid: Tensor of booleans, all of them to be true.
        message: What is wrong, for the error.

    Raises:
        tf.errors.InvalidArgumentError: If an element of `valid` is false. Code that is
            compiled by XLA does not raise.
    """
    import tensorflow as tf

    extremes = [tf.reduce_min(values), tf.reduce_max(values)]
    received = [message, "Received: lowest and highest", *extremes]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(valid), received)]):
        return tf.identity(values)
