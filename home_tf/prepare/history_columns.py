"""Which columns of history are wanted."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field

from home_tf.config import DataConfig
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns, rated_column


@dataclass(frozen=True)
class HistoryColumns:
    """The columns of history that a configuration names.

    Attributes:
        counts: `{column: history}`, such as `user_impressions`.
        rates: `{column: (history, column of zeros and ones)}`.
        lists: The columns of `data.history_lists`.
    """

    counts: dict[str, str] = field(default_factory=dict)
    rates: dict[str, tuple[str, str]] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, columns: Columns, data: DataConfig, given: Collection[str]
    ) -> "HistoryColumns":
        """Finds them.

        Args:
            columns: The columns that are wanted.
            data: The section `data`.
            given: The columns that the files and `data.columns` have.

        Raises:
            HomeError: If a column comes from nowhere or from two places, or there is
                history without a time.
        """
        found = cls()
        for column, who in columns.needed_by.items():
            if column in data.history_lists:
                _check_single(column, given)
                found.lists.append(column)
            elif column not in given:
                found._add(column, who, data, given)
        if found.names and data.time is None and data.day is None:
            raise HomeError(
                "`data.history` and `data.history_lists` need the time of a row: give "
                "`data.time` or `data.day`"
            )
        return found

    @property
    def names(self) -> list[str]:
        """All columns of history."""
        return [*self.counts, *self.rates, *self.lists]

    @property
    def counted(self) -> list[str]:
        """The histories that are counted."""
        rated = (name for name, _ in self.rates.values())
        return list(dict.fromkeys([*self.counts.values(), *rated]))

    def labels(self, history: str) -> list[str]:
        """The columns of zeros and ones whose rates a history needs."""
        return [label for name, label in self.rates.values() if name == history]

    def _add(
        self, column: str, who: str, data: DataConfig, given: Collection[str]
    ) -> None:
        name = column.removesuffix("_impressions")
        rated = rated_column(column, data.history)
        if name != column and name in data.history:
            self.counts[column] = name
        elif rated and rated[1] in given:
            self.rates[column] = rated
        else:
            raise HomeError(_no_column(rated[1] if rated else column, who, given))


def _no_column(column: str, who: str, given: Collection[str]) -> str:
    close = difflib.get_close_matches(column, given)
    shown = f"Close: {', '.join(close)}" if close else f"They are {', '.join(given)}"
    return (
        f"{who} needs `{column}`, which is no column of the files, nor of "
        f"`data.columns`, `data.history` or `data.history_lists`. {shown}"
    )


def _check_single(column: str, given: Collection[str]) -> None:
    if column in given:
        raise HomeError(
            f"`data.history_lists.{column}`: the files have a column of that name. "
            "Choose another"
        )
