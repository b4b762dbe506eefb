"""Checks of the inputs of metrics, and selection of the rows that count."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def valid_labels(
    labels: npt.ArrayLike, *, numeric: bool = False
) -> npt.NDArray[np.bool_]:
    """Finds which labels are known.

    Args:
        labels: `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where the label is missing.
            The losses read labels the same way.
        numeric: Whether the labels are any finite numbers instead, and NaN where
            missing.

    Returns:
        `(rows,)`, True where there is a label.

    Raises:
        HomeError: If a label is anything else.
    """
    values = vector("labels", labels)
    if numeric:
        known: npt.NDArray[np.bool_] = ~np.isnan(values)
        if np.isinf(values).any():
            row = int(np.isinf(values).argmax())
            raise HomeError(
                "`labels` must be finite numbers, or NaN where missing. Received: "
                f"{values[row]} in row {row}"
            )
        return known
    valid: npt.NDArray[np.bool_] = ~np.isnan(values) & (values != -1)
    wrong = valid & (values != 0) & (values != 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise HomeError(
            "`labels` must be 0 or 1, or NaN or -1 where missing. Received: "
            f"{values[row]} in row {row}"
        )
    return valid


def labelled_rows(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, numeric: bool = False
) -> tuple[Floats, Array, npt.NDArray[np.bool_]]:
    """Checks labels and scores, and keeps the rows with a known label.

    Args:
        labels: As in `valid_labels`.
        scores: `(rows,)` or `(rows, 1)`; none may be NaN.
        numeric: As in `valid_labels`.

    Returns:
        The labels and the scores of the rows with a label, `(valid rows,)`, and which
        rows these are, `(rows,)`.

    Raises:
        HomeError: If the lengths differ, a label is invalid or a score is NaN.
    """
    valid = valid_labels(labels, numeric=numeric)
    predicted = vector("scores", scores)
    check_length("scores", predicted, len(valid))
    wrong = np.isnan(predicted)
    if wrong.any():
        raise HomeError(
            "`scores` must not be NaN; has the training diverged? Received: NaN in "
            f"{int(wrong.sum())} of {len(wrong)} rows, first in row {wrong.argmax()}"
        )
    known = vector("labels", labels)[valid].astype(np.float64)
    return known, predicted[valid], valid


def row_weights(weights: npt.ArrayLike | None, valid: npt.NDArray[np.bool_]) -> Floats:
    """The weights of the valid rows, ones if None; raises if one is negative or NaN."""
    if weights is None:
        return np.ones(np.count_nonzero(valid))
    values = vector("weights", weights)
    check_length("weights", values, len(valid))
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise HomeError(
            f"`weights` must be finite and not negative. Received: {values[row]} in "
            f"row {row}"
        )
    return values[valid].astype(np.float64)


def group_codes(groups: npt.ArrayLike, rows: int) -> tuple[Array, npt.NDArray[np.intp]]:
    """Numbers the groups.

    Args:
        groups: `(rows,)` or `(rows, 1)` of integers or strings; -1 or `""` in rows
            without a group.
        rows: The expected number of rows.

    Returns:
        The distinct groups in ascending order, and for each row the position of its
        group among them; -1 in rows without a group.

    Raises:
        HomeError: If the length differs or the groups are not integers or strings.
    """
    values = np.asarray(groups)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 1 and (values.dtype.kind in "biuSUOT" or not values.size):
        check_length("groups", values, rows)
        if values.dtype.kind in "iu" and values.size:
            first = values.min()
            if int(values.max()) - int(first) < 4 * values.size:
                return _without_missing(*_number_close_integers(values, first))
        try:
            return _without_missing(*np.unique(values, return_inverse=True))
        except TypeError:
            pass  # objects that cannot be ordered, such as None among strings
    raise HomeError(
        "`groups` must be a vector of integers or strings, for example user ids. "
        f"Received: shape {values.shape}, dtype {values.dtype}"
    )


def _without_missing(
    names: Array, codes: npt.NDArray[np.intp]
) -> tuple[Array, npt.NDArray[np.intp]]:
    """Removes the group that means "no group"; its code becomes -1."""
    if names.dtype.kind == "b":
        return names, codes
    missing = [-1] if names.dtype.kind in "iu" else ["", b""]
    kept = np.array([name not in missing for name in names.tolist()], bool)
    if kept.all():
        return names, codes
    positions = np.where(kept, np.cumsum(kept) - 1, -1)
    return names[kept], positions[codes]


def _number_close_integers(
    values: Array, first: Any
) -> tuple[Array, npt.NDArray[np.intp]]:
    """What `np.unique` returns, without sorting, for integers of a small range."""
    # In small types, the difference of two values may overflow.
    wide = np.dtype(f"{values.dtype.kind}8").type
    offsets = (values.astype(wide) - wide(first)).astype(np.intp)
    found = np.bincount(offsets) > 0
    distinct = np.flatnonzero(found).astype(wide) + wide(first)
    return distinct.astype(values.dtype), (np.cumsum(found) - 1)[offsets]


def vector(name: str, values: npt.ArrayLike) -> Array:
    """Numbers as a `(rows,)` array; raises for another shape or kind of value."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise HomeError(
            f"`{name}` must be numbers of shape (rows,) or (rows, 1). "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    return array


def check_length(name: str, values: Array, rows: int) -> None:
    """Raises if `values` does not have one value per label."""
    if len(values) != rows:
        raise HomeError(
            f"`{name}` must have one value per label. Received: {len(values)} {name} "
            f"for {rows} labels"
        )
