"""Labels that may be missing: NaN or negative."""

from typing import Any

from home_tf.backend import ops


def split_missing(
    labels: Any, logits: Any, sample_weight: Any = None
) -> tuple[Any, Any, Any, Any]:
    """Flattens a task's labels and logits and tells the valid rows apart.

    Args:
        labels: `(batch,)` or `(batch, 1)`; NaN or a negative value where missing.
        logits: `(batch,)` or `(batch, 1)`.
        sample_weight: `(batch,)` or `(batch, 1)`, or None for ones.

    Returns:
        Labels with 0 in place of missing ones, logits, weights with 0 for missing
        labels, and validity as 0 or 1; each `(batch,)` in float32.
    """
    labels = ops.reshape(ops.cast(labels, "float32"), (-1,))
    logits = ops.reshape(ops.cast(logits, "float32"), (-1,))
    # NaN fails every comparison, so this catches both kinds of missing label.
    present = labels >= 0.0
    zeros = ops.zeros_like(labels)
    valid = ops.where(present, zeros + 1.0, zeros)
    weights = valid
    if sample_weight is not None:
        sample_weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        weights = ops.where(present, sample_weight, zeros)
    return ops.where(present, labels, zeros), logits, weights, valid


def binary_crossentropy(labels: Any, logits: Any) -> Any:
    """`-y log p - (1 - y) log(1 - p)` of each row, from logits, without overflow."""
    return ops.softplus(logits) - labels * logits
