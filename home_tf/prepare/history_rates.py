"""Counts and rates of the earlier rows with the same key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis

from home_tf.config import HistoryConfig
from home_tf.engines import Engine, Expression, Table
from home_tf.prepare.read_rows import as_list
from home_tf.prepare.times import DAY, PERIOD

COUNT = "__count"


@dataclass(frozen=True)
class HistoryRates:
    """What was known about each key, and overall, before each period.

    Attributes:
        key: The columns of the key.
        by_key: A table with the key, `DAY`, `PERIOD`, `COUNT` and the rate of each
            label, in float32; one row for each key and each period in which it occurs.
        overall: A table with `DAY`, `PERIOD` and the overall rate of each label.
    """

    key: list[str]
    by_key: Table
    overall: Table

    @classmethod
    def count(
        cls,
        engine: Engine,
        name: str,
        rows: Table,
        config: HistoryConfig,
        labels: Sequence[str],
    ) -> "HistoryRates":
        """Counts rows and rates.

        Args:
            engine: Where they are.
            name: The name of the history.
            rows: The events that `select_rows` returns.
            config: The key and which rows count.
            labels: The columns of zeros and ones whose rates are needed.
        """
        key = as_list(config.key)
        overall = engine.store(f"overall_{name}", _overall(rows, config, labels))
        present = rows.filter([rows[one].notnull() for one in key])
        past = _past(present, config, labels, key)
        means = overall.select(
            __overall_period=overall[PERIOD],
            **{f"__overall_{label}": overall[label] for label in labels},
        )
        joined = past.join(means, past[PERIOD] == means["__overall_period"])
        rates = {
            label: _smooth(
                joined[_ones(label)],
                joined[_known(label)],
                joined[f"__overall_{label}"],
                config.prior,
            )
            for label in labels
        }
        by_key = joined.select(
            *key, DAY, PERIOD, **{COUNT: joined[COUNT].cast("float32")}, **rates
        )
        return cls(key, engine.store(f"history_{name}", by_key), overall)


def past_window(key: Sequence[str], *, window: int | None, gap: int) -> Expression:
    """Returns the window of earlier periods that count for a period.

    Args:
        key: The columns by which the past is separated.
        window: Number of periods that count; None for all.
        gap: Number of periods just before a period that do not count.
    """
    first = None if window is None else gap + window
    return ibis.range_window(
        group_by=list(key), order_by=PERIOD, preceding=(first, gap + 1)
    )


def _overall(rows: Table, config: HistoryConfig, labels: Sequence[str]) -> Table:
    past = _past(rows, config, labels, [])
    rates = {
        label: (past[_ones(label)] / past[_known(label)].nullif(0)).fill_null(0.0)
        for label in labels
    }
    return past.select(DAY, PERIOD, **rates)


def _past(
    rows: Table, config: HistoryConfig, labels: Sequence[str], key: list[str]
) -> Table:
    """Sums over the earlier periods, for each key and period."""
    by_period = rows.group_by([*key, DAY, PERIOD]).agg(**_sums(rows, labels))
    window = past_window(key, window=config.window, gap=config.gap)
    sums = {
        name: by_period[name].sum().over(window).fill_null(0)
        for name in _sums(rows, labels)
    }
    return by_period.select(*key, DAY, PERIOD, **sums)


def _sums(rows: Table, labels: Sequence[str]) -> Mapping[str, Expression]:
    sums = {COUNT: rows.count()}
    for label in labels:
        sums[_known(label)] = rows[label].count()
        sums[_ones(label)] = rows[label].sum().fill_null(0)
    return sums


def _known(label: str) -> str:
    return f"__known_{label}"


def _ones(label: str) -> str:
    return f"__ones_{label}"


def _smooth(
    ones: Expression, known: Expression, overall: Expression, prior: float
) -> Expression:
    weight = known + prior
    # Without a prior, a key without rows has the overall rate.
    rate = ((ones + prior * overall) / weight.nullif(0)).fill_null(overall)
    return rate.cast("float32")
