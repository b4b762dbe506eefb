"""Finding the history columns that a configuration needs."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from home_tf.config import DataConfig, HistoryFeature, find_history
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns


@dataclass(frozen=True)
class HistoryColumns:
    """The history columns that a configuration names.

    Attributes:
        features: The description of each, by column.
    """

    features: Mapping[str, HistoryFeature]

    @classmethod
    def of(
        cls, columns: Columns, data: DataConfig, given: Collection[str]
    ) -> "HistoryColumns":
        """Finds the history columns.

        Args:
            columns: The columns that are wanted.
            data: The section `data`.
            given: The columns that the files and `data.columns` have.

        Raises:
            HomeError: If a column has no source or two, or there is history without a
                time.
        """
        features = {}
        for column, who in columns.needed_by.items():
            feature = find_history(column, data)
            if feature is not None:
                _check(column, feature, who, given)
                features[column] = feature
            elif column not in given:
                raise HomeError(_no_column(column, who, given))
        if features and data.time is None and data.day is None:
            raise HomeError(
                "`data.history` and `data.history_lists` need the time of each row: "
                "set `data.time` or `data.day`"
            )
        return cls(features)

    @property
    def lists(self) -> list[str]:
        """The columns of `data.history_lists`."""
        return [name for name, one in self.features.items() if one.kind == "list"]

    @property
    def counted(self) -> list[str]:
        """The histories that need counts or rates."""
        found = (one for one in self.features.values() if one.kind != "list")
        return list(dict.fromkeys(one.history for one in found))

    @property
    def labels(self) -> list[str]:
        """The columns of zeros and ones whose rates are wanted."""
        return list(dict.fromkeys(one.label for one in self._rates if one.label))

    def labels_of(self, history: str) -> list[str]:
        """The columns of zeros and ones whose rates a history needs."""
        mine = (one for one in self._rates if one.history == history)
        return [one.label for one in mine if one.label]

    @property
    def _rates(self) -> list[HistoryFeature]:
        return [one for one in self.features.values() if one.kind == "rate"]


def _check(
    column: str, feature: HistoryFeature, who: str, given: Collection[str]
) -> None:
    if column in given:
        section = "history_lists" if feature.kind == "list" else "history"
        raise HomeError(
            f"`data.{section}.{feature.history}`: the files have a column `{column}`, "
            "too. Choose another name"
        )
    if feature.label is not None and feature.label not in given:
        raise HomeError(_no_column(feature.label, who, given))


def _no_column(column: str, who: str, given: Collection[str]) -> str:
    close = difflib.get_close_matches(column, given)
    shown = f"Close: {', '.join(close)}" if close else f"They are {', '.join(given)}"
    return (
        f"{who} needs `{column}`, which is not a column of the files, `data.columns`, "
        f"`data.history` or `data.history_lists`. {shown}"
    )
