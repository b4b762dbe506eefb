"""Means over cells, and intervals of means and of paired differences."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from home_tf.evaluation import percentile_interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | list[float] | None]:
        """The value and the interval, None where undefined."""
        interval = (
            None if np.isnan([self.low, self.high]).any() else [self.low, self.high]
        )
        return {
            "value": None if np.isnan(self.value) else self.value,
            "interval": interval,
        }


@dataclass(frozen=True)
class Results:
    """What all cells of a contender gave in one metric; NaN where there is no cell.

    Attributes:
        values: `(folds, seeds, tasks)`.
        replicates: `(folds, seeds, tasks, replicates)` of the bootstrap over users.
            Replicate `i` has the same users in all cells of a fold, of all contenders.
    """

    values: Floats
    replicates: Floats

    @property
    def has_cell(self) -> npt.NDArray[np.bool_]:
        """Which cells there are, `(folds, seeds)`."""
        there: npt.NDArray[np.bool_] = np.any(~np.isnan(self.values), axis=-1)
        return there

    def only(self, cells: npt.NDArray[np.bool_]) -> "Results":
        """The results without the cells that are False, `(folds, seeds)`."""
        return Results(
            np.where(cells[..., None], self.values, np.nan),
            np.where(cells[..., None, None], self.replicates, np.nan),
        )

    def of_tasks(self, numbers: list[int]) -> "Results":
        """The results in these tasks alone."""
        return Results(self.values[:, :, numbers], self.replicates[:, :, numbers])

    def estimates(self) -> list[Estimate]:
        """Of every task the mean over folds and seeds; then the mean of the tasks."""
        return _estimates(_over_cells(self.values), _over_cells(self.replicates))

    def differences(self, other: "Results") -> list[Estimate]:
        """As `estimates`, of this minus the other, over the cells that both have.

        The differences are paired by fold, seed and the users of each replicate.
        """
        both = self.has_cell & other.has_cell
        mine, theirs = self.only(both), other.only(both)
        return _estimates(
            _over_cells(mine.values) - _over_cells(theirs.values),
            _over_cells(mine.replicates) - _over_cells(theirs.replicates),
        )

    def seed_deviation(self) -> float:
        """The standard deviation over seeds of the mean over folds and tasks."""
        seeds = defined_mean(defined_mean(self.values, axis=2), axis=0)
        seeds = seeds[~np.isnan(seeds)]
        return float(seeds.std(ddof=1)) if len(seeds) > 1 else float("nan")


def _over_cells(values: Floats) -> Floats:
    # Of each fold first, so that a fold with a missing cell counts as much as others.
    return defined_mean(defined_mean(values, axis=1), axis=0)


def _estimates(values: Floats, replicates: Floats) -> list[Estimate]:
    values = np.append(values, defined_mean(values, axis=0))
    means = defined_mean(replicates, axis=0)
    replicates = np.concatenate([replicates, means[None]])
    return [
        Estimate(float(value), *percentile_interval(drawn))
        for value, drawn in zip(values, replicates, strict=True)
    ]


def defined_mean(values: Floats, axis: int) -> Floats:
    """The mean of the values that are not NaN; NaN where there are none."""
    defined = ~np.isnan(values)
    count = defined.sum(axis)
    total = np.where(defined, values, 0.0).sum(axis)
    mean: Floats = np.divide(
        total, count, out=np.full(np.shape(total), np.nan), where=count > 0
    )
    return mean
