"""Numeric features, which are normalised, or bucketised and embedded."""

from dataclasses import dataclass
from typing import Literal

from home_tf.errors import HomeError
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class NumericFeature:
    """A number per row, normalised, or bucketised and embedded.

    Numbers are clipped to the range of the training rows.

    Attributes:
        column: The record column; by default the feature's name.
        nullable: Whether numbers may be missing (NaN). A missing number is replaced by
            the mean of the training rows, and a missing-value indicator, 1 or 0, is
            added; a bucketized feature has a bucket for missing numbers. Otherwise NaN
            is an error, as infinity always is.
        transform: The function to apply first: `log1p` or `none`.
        encoding: `normalized` to mean 0 and variance 1 over the training rows, or
            `bucketized` at the quantiles of the training rows and embedded.
        buckets: Number of buckets (`bucketized`).
        width: Width of the embedding (`bucketized`).

    Raises:
        HomeError: If a field is out of its range, or two contradict each other.
    """

    column: str | None = None
    nullable: bool = False
    transform: Literal["none", "log1p"] = "none"
    encoding: Literal["normalized", "bucketized"] = "normalized"
    buckets: Size | None = None
    width: Size | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        given = (self.buckets is not None, self.width is not None)
        if given != (self.encoding == "bucketized",) * 2:
            raise HomeError("`buckets` and `width` require `encoding: bucketized`")
        if self.encoding == "bucketized" and self.transform != "none":
            raise HomeError("`transform` has no effect with `encoding: bucketized`")
