"""Quantised embedding tables for serving."""

from collections.abc import Callable, Collection
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.evaluation import auc
from home_tf.training.predictions import Predictions

TableType = Literal["float32", "float16", "int8"]
AucChanges = dict[str, float | None]


class QuantizedTable(tf.Module):
    """Embedding tables that are stored in fewer bits, with the same lookups.

    `float16` rounds every value. `int8` keeps a scale for each id, the largest of its
    values over 127, so that a value is off by at most half a scale.

    Args:
        values: The tables, `(rows, width)` in float32.
        stored_as: `"float16"` or `"int8"`.
        dtype: The dtype of the embeddings that are looked up.
        name: Name of the module.
    """

    def __init__(self, values: Any, stored_as: TableType, dtype: str, name: str):
        super().__init__(name=name)
        self._dtype, self.scales = dtype, None
        if stored_as == "int8":
            largest = np.abs(values).max(axis=1, keepdims=True)
            scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            values = np.rint(values / scales)
            self.scales = tf.Variable(scales, trainable=False, name="scales")
        self.values = tf.Variable(
            values.astype(stored_as), trainable=False, name="values"
        )

    def __call__(self, rows: Any) -> Any:
        """Looks up rows of any shape; adds an axis of size `width`."""
        vectors = tf.cast(tf.gather(self.values, rows), tf.float32)
        if self.scales is not None:
            vectors *= tf.gather(self.scales, rows)
        return tf.cast(vectors, self._dtype)


def quantize_and_compare(
    network: Any,
    stored_as: TableType,
    predict: Callable[[], Predictions],
    *,
    max_auc_loss: float,
    regression: Collection[str] = (),
) -> tuple[list[QuantizedTable], AucChanges]:
    """Quantises a network's tables, and measures the loss of AUC.

    Args:
        network: A `RankingNetwork`, which uses the quantised tables from now on.
        stored_as: `"float16"` or `"int8"`; with `"float32"` nothing is done.
        predict: Predicts the validation rows with the network as it is.
        max_auc_loss: The largest drop in a task's AUC.
        regression: The regression tasks.

    Returns:
        The tables, and the AUC that each task gained.

    Raises:
        HomeError: See `quantize_tables` and `check_auc_changes`.
    """
    if stored_as == "float32":
        return [], {}
    exact = predict()
    tables = quantize_tables(network, stored_as)
    changes = check_auc_changes(
        exact, predict(), max_auc_loss=max_auc_loss, regression=regression
    )
    return tables, changes


def quantize_tables(network: Any, stored_as: TableType) -> list[QuantizedTable]:
    """Makes a network use quantised tables from now on.

    Args:
        network: A `RankingNetwork`; the weights of its own tables are no longer used.
        stored_as: `"float16"` or `"int8"`.

    Returns:
        The tables that the network uses instead of its own.

    Raises:
        HomeError: If a table has values that the type cannot hold, such as NaN.
    """
    features = network.features
    for name in features.tables:
        # int8 has no NaN, and NaN must not become a number.
        values = np.asarray(features.rows_of(name))
        if not (np.abs(values) <= np.finfo(np.float16).max).all():
            raise HomeError(
                f"`tables`: embedding table {name!r} has NaN, infinity or values above "
                f"65,504, which {stored_as} cannot hold. Train again, or export float32"
            )
    return features.replace_tables(
        lambda stack: QuantizedTable(
            np.asarray(stack.embeddings), stored_as, stack.compute_dtype, stack.name
        )
    )


def check_auc_changes(
    exact: Predictions,
    quantized: Predictions,
    *,
    max_auc_loss: float,
    regression: Collection[str] = (),
) -> AucChanges:
    """Compares the AUC of every task before and after quantisation.

    Args:
        exact: What the network predicted with its own tables.
        quantized: What it predicts with the quantised ones, for the same rows.
        max_auc_loss: The largest drop in a task's AUC.
        regression: The regression tasks.

    Returns:
        The AUC gained, `{task: value}`; None for a task without both classes, which has
        no AUC.

    Raises:
        HomeError: If the AUC of a task drops by more than that, or no task has one.
    """
    gains = {
        task: auc(labels, quantized.probabilities[task], numeric=task in regression)
        - auc(labels, exact.probabilities[task], numeric=task in regression)
        for task, labels in exact.labels.items()
    }
    if all(map(np.isnan, gains.values())):
        raise HomeError(
            "`tables`: no task has both classes among the validation rows, so the AUC "
            "that is lost cannot be measured. Prepare more validation rows, or export "
            "float32"
        )
    lost = {task: -value for task, value in gains.items() if -value > max_auc_loss}
    if lost:
        worst = max(lost, key=lambda task: lost[task])
        raise HomeError(
            f"`tables`: the AUC of task {worst!r} falls by {lost[worst]:.5f} with the "
            f"quantised embedding tables, more than `max_auc_loss` {max_auc_loss:g}. "
            "Use a wider type, or allow a larger loss"
        )
    return {k: None if np.isnan(value) else value for k, value in gains.items()}
