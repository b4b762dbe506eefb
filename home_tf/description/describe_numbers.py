"""Describing a column of numbers, or a label, in each split."""

from collections.abc import Mapping, Sequence

import numpy as np

from home_tf.data import Column
from home_tf.description.description import (
    TRAIN,
    Feature,
    FeatureInSplit,
    LabelInSplit,
)
from home_tf.description.drift import Counts, population_stability_index
from home_tf.description.number_counts import NumberCounts
from home_tf.evaluation import newcombe_interval, wilson_interval


def describe_numbers(
    column: Column, counts: Mapping[str, NumberCounts], edges: Sequence[float]
) -> Feature:
    """Describes a column of numbers in each split.

    Args:
        column: Its type and shape.
        counts: The counts of each split.
        edges: The upper edges of all bins but the last.

    Returns:
        The description of the column.
    """
    train = counts.get(TRAIN)
    return Feature(
        kind="numbers" if column.shape else "number",
        distinct=None,
        has_vocabulary=False,
        is_constant=bool(train and train.least == train.greatest and not train.missing),
        edges=edges,
        coverage_places=(),
        splits={
            split: FeatureInSplit(
                missing=one.missing / one.rows if one.rows else 0.0,
                drift=_drift(split, train, one) if edges else None,
                mean=one.total / one.values if one.values else None,
                bins=one.counts.tolist(),
            )
            for split, one in counts.items()
        },
    )


def describe_label(counts: Mapping[str, NumberCounts]) -> dict[str, LabelInSplit]:
    """Describes a label in each split.

    Args:
        counts: The counts of each split.

    Returns:
        The description of each split.
    """
    train = counts.get(TRAIN)
    return {
        split: _describe_label(one, None if split == TRAIN else train)
        for split, one in counts.items()
    }


def _drift(split: str, train: NumberCounts | None, one: NumberCounts) -> float | None:
    if split == TRAIN or train is None:
        return None
    return population_stability_index(_binned(train), _binned(one))


def _binned(one: NumberCounts) -> Counts:
    return np.append(one.counts, one.missing)


def _describe_label(one: NumberCounts, train: NumberCounts | None) -> LabelInSplit:
    known = one.zeros + one.ones
    missing = 1 - known / one.rows if one.rows else 0.0
    if not known:
        return LabelInSplit(missing, 0, 0)
    rate = one.ones / known
    interval = wilson_interval(one.ones, known)
    known_before = train.zeros + train.ones if train else 0
    if train is None or not known_before:
        return LabelInSplit(missing, known, one.ones, rate, interval)
    return LabelInSplit(
        missing,
        known,
        one.ones,
        rate,
        interval,
        change=rate - train.ones / known_before,
        change_interval=newcombe_interval(one.ones, known, train.ones, known_before),
    )
