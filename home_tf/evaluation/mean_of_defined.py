"""The mean over tasks or rows, leaving out undefined values."""

from typing import Any

import numpy as np
import numpy.typing as npt


def mean_of_defined(values: npt.ArrayLike, axis: int | None = None) -> npt.NDArray[Any]:
    """The mean of the values that are defined.

    Args:
        values: Numbers; NaN, or None, where undefined.
        axis: The axis to take the mean along; by default all.

    Returns:
        An array without that axis, a scalar one by default; NaN where nothing is
        defined.
    """
    numbers = np.asarray(values, np.float64)
    defined = ~np.isnan(numbers)
    count = defined.sum(axis)
    total = np.where(defined, numbers, 0.0).sum(axis)
    undefined = np.full(np.shape(total), np.nan)
    mean: npt.NDArray[Any] = np.divide(total, count, out=undefined, where=count > 0)
    return mean
