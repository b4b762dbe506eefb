"""Handling labels that may be missing: NaN or -1."""

import math
from typing import Any

from home_tf.backend import ops
from home_tf.backend.checked import checked


def check_labels(where: str, labels: Any) -> Any:
    """Returns labels as float32, missing ones as -1.

    Args:
        where: What they belong to, such as "task 'click'", for the error message.
        labels: Numbers of any shape.

    Raises:
        ValueError: If they are not numbers.
        tf.errors.InvalidArgumentError: If one is any other number; see `checked`.
    """
    labels = _numbers(where, labels)
    labels = ops.where(ops.isnan(labels), ops.zeros_like(labels) - 1.0, labels)
    valid = (labels == 0.0) | (labels == 1.0) | (labels == -1.0)
    return checked(
        labels, valid, f"{where}: labels must be 0 or 1, NaN or -1 where missing."
    )


def check_numbers(where: str, labels: Any, *, not_negative: bool = False) -> Any:
    """Returns numeric labels as float32, missing ones as NaN.

    Args:
        where: As in `check_labels`.
        labels: Numbers of any shape, NaN where missing.
        not_negative: Whether none may be negative.

    Raises:
        As `check_labels`.
    """
    labels = _numbers(where, labels)
    valid = ops.isfinite(labels)
    rule = "finite"
    if not_negative:
        valid, rule = valid & (labels >= 0.0), "finite and not negative"
    message = f"{where}: labels must be {rule}, or NaN where missing."
    return checked(labels, valid | ops.isnan(labels), message)


def _numbers(where: str, labels: Any) -> Any:
    labels = ops.convert_to_tensor(labels)
    dtype = str(getattr(labels.dtype, "name", labels.dtype))
    if "string" in dtype:
        raise ValueError(f"{where}: labels must be numbers. Received: dtype {dtype}")
    return ops.cast(labels, "float32")


def check_weights(where: str, weights: Any) -> Any:
    """Checks that no sample weight is negative, NaN or infinite, and returns them.

    Args:
        where: What they belong to, such as "task 'click'", for the error message.
        weights: Numbers of any shape in float32.

    Raises:
        tf.errors.InvalidArgumentError: If one is wrong; see `checked`.
    """
    valid = ops.isfinite(weights) & (weights >= 0.0)
    weights = checked(
        weights, valid, f"{where}: sample weights must be finite and not negative."
    )
    return ops.where(valid, weights, ops.zeros_like(weights) + math.nan)


def check_targets(
    where: str, labels: Any, sample_weight: Any = None
) -> tuple[Any, Any]:
    """Checks and returns the labels and sample weights of a classification loss.

    Args:
        where: What they belong to, such as "task 'click'", for the error message.
        labels: `(batch,)` or `(batch, 1)`; 0 or 1, NaN or -1 where missing.
        sample_weight: `(batch,)` or `(batch, 1)`, or None.

    Returns:
        Labels, missing ones as -1, and weights, with 0 for missing labels, or None;
        each `(batch,)` in float32.

    Raises:
        As `check_labels` and `check_weights`.
    """
    labels = ops.reshape(check_labels(where, labels), (-1,))
    return labels, _weights_of(where, sample_weight, labels == -1.0)


def check_number_targets(
    where: str, labels: Any, sample_weight: Any = None, *, not_negative: bool = False
) -> tuple[Any, Any]:
    """Checks and returns the labels and sample weights of a regression loss.

    Args:
        where: As in `check_targets`.
        labels: `(batch,)` or `(batch, 1)`; finite, NaN where missing.
        sample_weight: `(batch,)` or `(batch, 1)`, or None.
        not_negative: Whether no label may be negative.

    Returns:
        Labels, missing ones as NaN, and weights, with 0 for missing labels, or None;
        each `(batch,)` in float32.

    Raises:
        As `check_labels` and `check_weights`.
    """
    labels = check_numbers(where, labels, not_negative=not_negative)
    labels = ops.reshape(labels, (-1,))
    return labels, _weights_of(where, sample_weight, ops.isnan(labels))


def _weights_of(where: str, sample_weight: Any, missing: Any) -> Any:
    if sample_weight is None:
        return None
    weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
    weights = ops.where(missing, ops.zeros_like(weights), weights)
    return check_weights(where, weights)


def split_missing(
    labels: Any, logits: Any, sample_weight: Any = None
) -> tuple[Any, Any, Any, Any]:
    """Flattens a task's labels and logits, and marks the valid rows.

    Args:
        labels: `(batch,)` or `(batch, 1)`; 0 or 1, NaN or -1 where missing. Anything
            else becomes NaN and counts as valid, so that it shows in the result.
        logits: `(batch,)` or `(batch, 1)`.
        sample_weight: `(batch,)` or `(batch, 1)`, or None for ones.

    Returns:
        Labels with missing ones as 0, logits, weights with 0 for missing labels, and
        validity as 0 or 1; each `(batch,)` in float32.
    """
    labels = ops.reshape(ops.cast(labels, "float32"), (-1,))
    logits = ops.reshape(ops.cast(logits, "float32"), (-1,))
    present = (labels != -1.0) & ~ops.isnan(labels)
    zeros = ops.zeros_like(labels)
    wrong = present & (labels != 0.0) & (labels != 1.0)
    labels = ops.where(wrong, zeros + math.nan, labels)
    return _split(present, labels, logits, sample_weight)


def split_missing_numbers(
    labels: Any, outputs: Any, sample_weight: Any = None
) -> tuple[Any, Any, Any, Any]:
    """Flattens a task's labels and outputs, and marks the valid rows.

    Args:
        labels: `(batch,)` or `(batch, 1)`; NaN where missing.
        outputs: `(batch,)` or `(batch, 1)`.
        sample_weight: `(batch,)` or `(batch, 1)`, or None for ones.

    Returns:
        As `split_missing`.
    """
    labels = ops.reshape(ops.cast(labels, "float32"), (-1,))
    outputs = ops.reshape(ops.cast(outputs, "float32"), (-1,))
    return _split(~ops.isnan(labels), labels, outputs, sample_weight)


def _split(
    present: Any, labels: Any, outputs: Any, sample_weight: Any
) -> tuple[Any, Any, Any, Any]:
    zeros = ops.zeros_like(labels)
    valid = ops.where(present, zeros + 1.0, zeros)
    weights = valid
    if sample_weight is not None:
        sample_weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        weights = ops.where(present, sample_weight, zeros)
    return ops.where(present, labels, zeros), outputs, weights, valid


def binary_crossentropy(labels: Any, logits: Any) -> Any:
    """`-y log p - (1 - y) log(1 - p)` of each row, from logits, without overflow."""
    return ops.softplus(logits) - labels * logits
