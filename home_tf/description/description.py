"""The description of a dataset directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TRAIN = "train"


@dataclass(frozen=True)
class LabelInSplit:
    """A label in a split.

    Attributes:
        missing: The share of the rows without a label.
        known: Number of rows with a label.
        positives: How many of them are 1.
        rate: The positive rate; None if no label is known.
        interval: The 95 % interval of the rate, for independent rows.
        change: The rate minus that of the training rows; None for the training rows.
        change_interval: The 95 % interval of the change, for independent rows.
    """

    missing: float
    known: int
    positives: int
    rate: float | None = None
    interval: tuple[float, float] | None = None
    change: float | None = None
    change_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class FeatureInSplit:
    """A column of ids or numbers in a split.

    Attributes:
        missing: The share of the rows without a value.
        out_of_vocabulary: The share of the values that are not in the vocabulary; None
            without a vocabulary, and without values.
        drift: The population stability index against the training rows; None for the
            training rows, and if there is nothing to compare.
        mean: The mean of numbers; None for ids, and without values.
        bins: For numbers, how many are in each bin.
        coverage: For ids with a vocabulary, the share of the values that are among the
            first `Feature.coverage_places` of the vocabulary.
    """

    missing: float
    out_of_vocabulary: float | None = None
    drift: float | None = None
    mean: float | None = None
    bins: Sequence[int] = ()
    coverage: Sequence[float] = ()


@dataclass(frozen=True)
class Feature:
    """A column of ids or numbers.

    Attributes:
        kind: The kind of values.
        distinct: The number of distinct values in the training rows; None for numbers.
            Without a vocabulary, no more than `MOST_DISTINCT` are counted.
        has_vocabulary: Whether there is a vocabulary of the training rows.
        is_constant: Whether all training rows have the same value.
        edges: For numbers, the upper edges of all bins but the last: the deciles of the
            training rows.
        coverage_places: See `FeatureInSplit.coverage`.
        splits: The column in each split.
    """

    kind: Literal["id", "ids", "number", "numbers"]
    distinct: int | None
    has_vocabulary: bool
    is_constant: bool
    edges: Sequence[float]
    coverage_places: Sequence[int]
    splits: Mapping[str, FeatureInSplit]

    @property
    def missing(self) -> float:
        """The largest share of rows without a value in any split."""
        return max((one.missing for one in self.splits.values()), default=0.0)

    @property
    def out_of_vocabulary(self) -> float | None:
        """The largest share of out-of-vocabulary values in any split."""
        shares = [one.out_of_vocabulary for one in self.splits.values()]
        return max((share for share in shares if share is not None), default=None)

    @property
    def drift(self) -> float | None:
        """The largest drift of any split."""
        drifts = [one.drift for one in self.splits.values()]
        return max((drift for drift in drifts if drift is not None), default=None)


@dataclass(frozen=True)
class Description:
    """What a dataset directory holds.

    Attributes:
        rows: The number of rows of each split.
        labels: The columns with 0, 1 and missing values, by name.
        features: All other columns, by name.
    """

    rows: Mapping[str, int]
    labels: Mapping[str, Mapping[str, LabelInSplit]]
    features: Mapping[str, Feature]
