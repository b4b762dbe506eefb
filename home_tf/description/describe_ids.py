"""Describing a column of ids in each split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.data import Column
from home_tf.description.description import TRAIN, Feature, FeatureInSplit
from home_tf.description.drift import Counts, population_stability_index
from home_tf.description.id_counts import MOST_DISTINCT, IdCounts

# A value with a smaller share of the training rows has no bin of its own.
SMALLEST_BIN = 0.01
_COVERAGE_PLACES = 60


def describe_ids(
    column: Column, counts: Mapping[str, IdCounts], places: Mapping[Any, int] | None
) -> Feature:
    """Describing a column of ids in each split.

    Args:
        column: Its type and shape.
        counts: The counts of each split.
        places: The position of each value in the vocabulary, if there is one.

    Returns:
        The description of the column.
    """
    train = counts.get(TRAIN)
    bins = _bins(train) if train and places is not None else None
    sizes = _coverage_places(places)
    distinct = _count_distinct(train)
    return Feature(
        kind="ids" if column.shape else "id",
        distinct=distinct,
        has_vocabulary=places is not None,
        is_constant=bool(train and distinct == 1 and not train.missing),
        edges=(),
        coverage_places=sizes,
        splits={
            split: FeatureInSplit(
                missing=one.missing / one.rows if one.rows else 0.0,
                out_of_vocabulary=_unknown_share(one) if places is not None else None,
                drift=_drift(split, train, one, bins),
                coverage=_coverage(one, sizes),
            )
            for split, one in counts.items()
        },
    )


def _count_distinct(train: IdCounts | None) -> int | None:
    if train is None:
        return None
    counted = min(len(train.distinct), MOST_DISTINCT)
    return counted or int(np.count_nonzero(train.counts))


def _unknown_share(one: IdCounts) -> float | None:
    return one.unknown / one.values if one.values else None


def _bins(train: IdCounts) -> npt.NDArray[np.bool_] | None:
    """Finds the values of the vocabulary with their own bin; None if there are none."""
    own = train.counts >= SMALLEST_BIN * (train.values + train.missing)
    own &= train.counts > 0
    return own if own.any() else None


def _drift(
    split: str,
    train: IdCounts | None,
    one: IdCounts,
    own: npt.NDArray[np.bool_] | None,
) -> float | None:
    if split == TRAIN or train is None or own is None:
        return None
    return population_stability_index(_binned(train, own), _binned(one, own))


def _binned(one: IdCounts, own: npt.NDArray[np.bool_]) -> Counts:
    """Counts per bin: frequent values, all rare and unknown ones, missing ones."""
    # With many rare values, any split has a few new ones: that alone is not drift.
    rare = one.counts[~own].sum() + one.unknown
    return np.append(one.counts[own], [rare, one.missing])


def _coverage_places(places: Mapping[Any, int] | None) -> list[int]:
    if not places:
        return []
    steps = np.geomspace(1, len(places), min(len(places), _COVERAGE_PLACES))
    return np.unique(steps.round().astype(int)).tolist()


def _coverage(one: IdCounts, sizes: Sequence[int]) -> list[float]:
    if not sizes or not one.values:
        return []
    covered = np.cumsum(one.counts)[np.array(sizes) - 1]
    return (covered / one.values).tolist()
