"""Computing history features at a point in time, for a feature store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import ibis

from home_tf.config import DataConfig, HistoryFeature
from home_tf.engines import Engine, Table, first_row
from home_tf.errors import HomeError
from home_tf.files import write_json
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.history_list import list_history
from home_tf.prepare.history_rates import COUNT, HistoryRates
from home_tf.prepare.read_rows import as_list
from home_tf.prepare.times import DAY, PERIOD

FILE_NAME = "history.json"


@dataclass(frozen=True)
class Moment:
    """A point in time, in the terms of the rows.

    Attributes:
        text: The given text.
        day: Days since 1970.
        period: The period, see `data.period`.
    """

    text: str
    day: int
    period: int

    @classmethod
    def parse(cls, text: str, data: DataConfig) -> "Moment":
        """Parses a day or a time, in UTC by default.

        Raises:
            HomeError: If it is neither.
        """
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise HomeError(
                "`as_of` must be a day or a time, such as 2026-05-07 or "
                f"2026-05-07T12:00. Received: {text!r}"
            ) from None
        if time.tzinfo is not None:
            time = time.astimezone(timezone.utc)
        day = (time.date() - date(1970, 1, 1)).days
        return cls(text, day, day if data.period == "day" else day * 24 + time.hour)


@dataclass(frozen=True)
class HistoryAsOf:
    """Computes the history features that a row at a moment would have.

    Every key that occurs before gets a probe row at the moment, which does not count
    itself; its history is then computed like that of any other row.

    Attributes:
        engine: The engine of the events.
        events: The events before the moment.
        data: The section `data`.
        wanted: The history columns.
        moment: The moment.
    """

    engine: Engine
    events: Table
    data: DataConfig
    wanted: HistoryColumns
    moment: Moment

    @classmethod
    def of(
        cls,
        engine: Engine,
        events: Table,
        data: DataConfig,
        wanted: HistoryColumns,
        as_of: str,
    ) -> "HistoryAsOf":
        """Leaves out the events at or after the moment.

        Raises:
            HomeError: If there are no history columns, or no events before the moment.
        """
        if not wanted.features:
            raise HomeError(
                "no feature comes from `data.history` or `data.history_lists`, so "
                "there is nothing to write"
            )
        moment = Moment.parse(as_of, data)
        before = events.filter(events[PERIOD] < moment.period)
        if not first_row(before.agg(rows=before.count()))["rows"]:
            raise HomeError(f"`as_of`: no row is before {as_of}")
        return cls(engine, before, data, wanted, moment)

    def write(self, folder: Path) -> None:
        """Writes a table for each history and list, and `history.json`."""
        tables: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        for name in self.wanted.counted:
            rates = HistoryRates.count(
                self.engine,
                name,
                self._with_probes(as_list(self.data.history[name].key)),
                self.data.history[name],
                self.wanted.labels_of(name),
            )
            tables[name] = self._save(name, rates.by_key, rates.key, folder)
            (overall,) = self._now(rates.overall).to_pyarrow().to_pylist()
            defaults |= self._defaults(name, overall)
        for name in self.wanted.lists:
            config = self.data.history_lists[name]
            key = as_list(config.key)
            items = list_history(self.engine, name, self._with_probes(key), config)
            tables[name] = self._save(name, items, key, folder)
            defaults[name] = []
        content = {
            "as_of": self.moment.text,
            "period": self.data.period,
            "tables": tables,
            "defaults": defaults,
        }
        write_json(folder / FILE_NAME, content)

    def _with_probes(self, key: list[str]) -> Table:
        """Adds a probe for each key at the moment, which does not count itself."""
        events = self.events
        known = events.filter([events[one].notnull() for one in key])
        keys = known.select(*key).distinct()
        given = {DAY: self.moment.day, PERIOD: self.moment.period}
        probes = keys.select(
            **{
                name: keys[name]
                if name in key
                else ibis.literal(given.get(name)).cast(kind)
                for name, kind in events.schema().items()
            }
        )
        return events.union(probes)

    def _now(self, table: Table) -> Table:
        return table.filter(table[PERIOD] == self.moment.period)

    def _save(
        self, name: str, table: Table, key: list[str], folder: Path
    ) -> dict[str, Any]:
        now = self._now(table)
        made = {
            column: now[_source(name, feature)]
            for column, feature in self.wanted.features.items()
            if feature.history == name
        }
        saved = now.select(*key, **made)
        file = folder / f"{name}.parquet"
        self.engine.save(saved.order_by(key), file)
        rows = saved.count().to_pyarrow().as_py()
        return {"file": file.name, "key": key, "columns": list(made), "rows": rows}

    def _defaults(self, name: str, overall: Mapping[str, Any]) -> dict[str, float]:
        """The values of a key that does not occur before."""
        return {
            column: 0.0 if feature.label is None else overall[feature.label]
            for column, feature in self.wanted.features.items()
            if feature.history == name
        }


def _source(name: str, feature: HistoryFeature) -> str:
    """The column of a history table that a feature is read from."""
    return {"count": COUNT, "rate": feature.label or "", "list": name}[feature.kind]
