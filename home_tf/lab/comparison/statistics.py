"""Means over trainings, and intervals of means and of paired differences."""

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from home_tf.evaluation import mean_of_defined, percentile_interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % intervals; NaN where undefined.

    Attributes:
        value: The value.
        low, high: The interval over test rows, or over users if the bootstrap draws
            these.
        low_with_seeds, high_with_seeds: The interval that also covers seeds.
    """

    value: float
    low: float
    high: float
    low_with_seeds: float
    high_with_seeds: float

    def to_json(self) -> dict[str, float | list[float] | None]:
        """The value and the intervals, None where undefined."""
        return {
            "value": None if np.isnan(self.value) else self.value,
            "interval": _defined(self.low, self.high),
            "interval_with_seeds": _defined(self.low_with_seeds, self.high_with_seeds),
        }

    def scaled(self, factor: float) -> "Estimate":
        """The estimate times a positive factor."""
        return Estimate(*(factor * value for value in astuple(self)))


def _defined(low: float, high: float) -> list[float] | None:
    return None if np.isnan([low, high]).any() else [low, high]


@dataclass(frozen=True)
class Results:
    """One metric of all trainings of a model; NaN if a training is missing.

    Attributes:
        values: `(folds, seeds, tasks)`.
        replicates: `(folds, seeds, tasks, replicates)` of the bootstrap. Replicate `i`
            draws the same users, or rows, in all trainings of a fold, of all models.
    """

    values: Floats
    replicates: Floats

    @property
    def has_cell(self) -> npt.NDArray[np.bool_]:
        """Which trainings there are, `(folds, seeds)`."""
        there: npt.NDArray[np.bool_] = np.any(~np.isnan(self.values), axis=-1)
        return there

    def only(self, trainings: npt.NDArray[np.bool_]) -> "Results":
        """The results without the trainings that are False, `(folds, seeds)`."""
        return Results(
            np.where(trainings[..., None], self.values, np.nan),
            np.where(trainings[..., None, None], self.replicates, np.nan),
        )

    def with_drawn_seeds(self) -> "Results":
        """Replicates that also draw seeds, with replacement in each fold.

        The draws are the same for all models. With `n` seeds, the variance is
        underestimated by `(n - 1) / n`, as in any bootstrap; with one seed it is
        undefined, and all replicates are NaN.
        """
        folds, seeds, _, replicates = self.replicates.shape
        if seeds == 1:
            return Results(self.values, np.full_like(self.replicates, np.nan))
        drawn = np.random.default_rng(0).integers(
            seeds, size=(folds, seeds, 1, replicates)
        )
        return Results(self.values, np.take_along_axis(self.replicates, drawn, axis=1))

    def of_tasks(self, numbers: list[int]) -> "Results":
        """The results for these tasks only."""
        return Results(self.values[:, :, numbers], self.replicates[:, :, numbers])

    def estimates(self) -> list[Estimate]:
        """The mean over folds and seeds for every task, then the mean of the tasks."""
        return _estimates(
            _over_trainings(self.values),
            _over_trainings(self.replicates),
            _over_trainings(self.with_drawn_seeds().replicates),
        )

    def differences(self, other: "Results") -> list[Estimate]:
        """Like `estimates`, for this minus the other, over the trainings of both.

        The differences are paired by fold, seed and what each replicate draws.
        """
        both = self.has_cell & other.has_cell
        mine, theirs = self.only(both), other.only(both)
        return _estimates(
            _over_trainings(mine.values) - _over_trainings(theirs.values),
            _over_trainings(mine.replicates) - _over_trainings(theirs.replicates),
            _over_trainings(mine.with_drawn_seeds().replicates)
            - _over_trainings(theirs.with_drawn_seeds().replicates),
        )

    def seed_deviation(self) -> float:
        """The standard deviation over seeds of the mean over folds and tasks."""
        seeds = mean_of_defined(mean_of_defined(self.values, axis=2), axis=0)
        seeds = seeds[~np.isnan(seeds)]
        return float(seeds.std(ddof=1)) if len(seeds) > 1 else float("nan")


def _over_trainings(values: Floats) -> Floats:
    # Of each fold first: one with a missing training counts as much as others.
    return mean_of_defined(mean_of_defined(values, axis=1), axis=0)


def _estimates(
    values: Floats, of_rows: Floats, of_rows_and_seeds: Floats
) -> list[Estimate]:
    values = np.append(values, mean_of_defined(values, axis=0))
    return [
        Estimate(float(value), *percentile_interval(one), *percentile_interval(other))
        for value, one, other in zip(
            values, _with_mean(of_rows), _with_mean(of_rows_and_seeds), strict=True
        )
    ]


def _with_mean(replicates: Floats) -> Floats:
    """Appends the mean to the replicates of the tasks, `(tasks, replicates)`."""
    return np.concatenate([replicates, mean_of_defined(replicates, axis=0)[None]])
