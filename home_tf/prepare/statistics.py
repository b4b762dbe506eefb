"""Statistics of numeric columns over the training rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.engines import ROW, SPLIT, Expression, Table, first_row
from home_tf.prepare.shuffle import by_chance

QUANTILES = 101
SAMPLE_ROWS = 200_000
_SEED = 1
_LEVELS = np.linspace(0, 1, QUANTILES)


def describe_numbers(dataset: Table, columns: Sequence[str]) -> dict[str, Any]:
    """Computes mean, variance (also of log(1 + x)) and quantiles of columns.

    Mean, variance, minimum and maximum are exact. The quantiles in between are exact up
    to `SAMPLE_ROWS` rows; beyond that, they come from a sample of that size. Missing
    numbers are left out; negative ones count as 0 under the logarithm.

    Args:
        dataset: The table `dataset`, of all splits.
        columns: Columns of numbers.

    Returns:
        The content of `statistics.json`. A column without any number has a mean and a
        variance of 0 and no quantiles.
    """
    if not columns:
        return {}
    train = dataset.filter(dataset[SPLIT] == "train")
    moments = first_row(train.agg(rows=train.count(), **_moments(train, columns)))
    sample = _sample(train, moments["rows"], columns).to_pyarrow()
    return {
        name: _describe(name, moments, sample[name].drop_null().to_numpy())
        for name in columns
    }


def _moments(train: Table, columns: Sequence[str]) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    for name in columns:
        value = train[name].cast("float64")
        logarithm = (value.clip(lower=0.0) + 1).ln()
        found |= {
            f"{name} mean": value.mean(),
            f"{name} variance": value.var(how="pop"),
            f"{name} log1p_mean": logarithm.mean(),
            f"{name} log1p_variance": logarithm.var(how="pop"),
            f"{name} least": value.min(),
            f"{name} greatest": value.max(),
        }
    return found


def _sample(train: Table, rows: int, columns: Sequence[str]) -> Table:
    if rows > SAMPLE_ROWS:
        train = train.filter(by_chance(train[ROW], _SEED, SAMPLE_ROWS / rows))
    return train.select(*columns)


def _describe(
    name: str, moments: dict[str, Any], sample: npt.NDArray[Any]
) -> dict[str, Any]:
    keys = ("mean", "variance", "log1p_mean", "log1p_variance")
    described: dict[str, Any] = {key: moments[f"{name} {key}"] or 0.0 for key in keys}
    least, greatest = moments[f"{name} least"], moments[f"{name} greatest"]
    if least is None:
        return {**described, "quantiles": []}
    # The sample may have no value of a column that is almost empty.
    values = sample if sample.size else np.array([least])
    inner = np.quantile(values.astype(np.float64), _LEVELS[1:-1]).tolist()
    return {**described, "quantiles": [least, *inner, greatest]}
