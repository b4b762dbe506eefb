"""The findings from which the configuration is written."""

from dataclasses import dataclass, field

from home_tf.init.feature_guess import FeatureGuess
from home_tf.init.history_guess import HistoryGuess
from home_tf.init.joins import Joins
from home_tf.init.labels import Label
from home_tf.init.row_time import RowTime


@dataclass(frozen=True)
class Draft:
    """The findings in the files.

    Attributes:
        joins: The log and its tables.
        labels: The labels of the tasks.
        user: The record column of the user.
        item: The record column of the item.
        time: The time of a row.
        split_column: The column that says `train`, `validation` or `test`.
        features: The features, except those of history.
        left_out: Columns that are not features.
        history: The history of earlier rows.
        of_request: The features of the user and the context.
        types: The given types of CSV columns.
    """

    joins: Joins
    labels: list[Label]
    user: str | None
    item: str | None
    time: RowTime | None
    split_column: str | None
    features: list[FeatureGuess]
    left_out: list[FeatureGuess]
    history: HistoryGuess = field(default_factory=HistoryGuess)
    of_request: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The rows of the log."""
        return self.joins.log.rows

    @property
    def files(self) -> list[str]:
        """All files."""
        tables = (join.source for join in self.joins.tables)
        return [file for one in (self.joins.log, *tables) for file in one.files]
