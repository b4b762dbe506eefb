"""The distribution of many numbers, counted batch by batch."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# The leading bits of a float32: sign, exponent, and five bits of the fraction.
_BITS = 14
_SHIFT = np.uint32(32 - _BITS)
_HALF = 1 << (_BITS - 1)


class Distribution:
    """Counts of numbers by their leading bits: any scale, quantiles within 2 %."""

    def __init__(self) -> None:
        self._counts = np.zeros(2 * _HALF, np.int64)

    def add(self, values: Array) -> None:
        """Counts finite numbers, of any shape."""
        bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
        bins = (bits >> _SHIFT).astype(np.intp)
        self._counts += np.bincount(bins, minlength=2 * _HALF)

    def quantiles(self) -> dict[str, float]:
        """Returns quantiles of the numbers, such as `{"50": 0.1}`."""
        # Negative numbers come second, starting with the largest.
        order = np.r_[np.arange(2 * _HALF - 1, _HALF - 1, -1), np.arange(_HALF)]
        below = np.cumsum(self._counts[order])
        places = np.searchsorted(below, np.array(SHARES) * below[-1])
        return {
            f"{share * 100:.0f}": float(_middle(order[place]))
            for share, place in zip(SHARES, places, strict=True)
        }


def _middle(index: Any) -> Any:
    """The middle of a bin; exactly 0 for the bin of zero."""
    if index % _HALF == 0:
        return 0.0
    ends = (np.array([index, index + 1], np.uint32) << _SHIFT).view(np.float32)
    return np.float64(ends).mean()
