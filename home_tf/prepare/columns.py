"""Finding the columns that a configuration needs, and their purpose."""

from dataclasses import dataclass, field
from typing import Literal

from home_tf.config import Config, DataConfig
from home_tf.engines.check_csv import DAY, NUMBER, TIME
from home_tf.features import CategoricalFeature

# The purpose of a column: ids to embed, numbers (with or without missing ones), labels,
# or values that are only compared.
Kind = Literal["id", "number", "nullable", "label", "plain"]


@dataclass(frozen=True)
class Columns:
    """The columns that are written, in order, and those that only history needs.

    Attributes:
        kinds: `{column: kind}` of the columns that are written.
        needed_by: `{column: what needs it}`, for messages.
        vocabularies: The columns whose values are counted.
        numbers: The columns whose statistics are computed.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    needed_by: dict[str, str] = field(default_factory=dict)
    vocabularies: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, config: Config) -> "Columns":
        """Finds the columns that a configuration names."""
        found = cls()
        found._add_features(config)
        for name, task in config.tasks.items():
            kind: Kind = "nullable" if task.is_regression else "label"
            found._add(task.label or name, kind, f"task `{name}`")
            found.numbers.append(task.label or name)
        for name, task in config.tasks.items():
            if task.sample_weight:
                found._add(task.sample_weight, "number", f"task `{name}`")
            if task.space:
                found._add(task.space.column, "plain", f"task `{name}`")
        if config.evaluation.group_by:
            found._add(config.evaluation.group_by, "id", "`evaluation.group_by`")
        if config.serving.candidates:
            latest = config.serving.candidates.latest_by
            found._add(latest, "plain", "`serving.candidates`")
        return found

    @property
    def nullable(self) -> list[str]:
        """The columns in which a number may be missing."""
        kinds = self.kinds.items()
        return [name for name, kind in kinds if kind in ("nullable", "label")]

    def expected_kinds(self, data: DataConfig) -> dict[str, str]:
        """Returns the use of the files' columns: `{column: NUMBER, TIME or DAY}`.

        Args:
            data: The section `data`; columns that it derives are not columns of files.
        """
        kinds = self.kinds.items()
        numbers = [n for n, kind in kinds if kind in ("number", "nullable", "label")]
        found = dict.fromkeys(numbers, NUMBER)
        found |= {name: DAY for name in [data.day] if name is not None}
        found |= {name: TIME for name in [data.time] if name is not None}
        return {name: kind for name, kind in found.items() if name not in data.columns}

    def _add_features(self, config: Config) -> None:
        features = config.features.items()
        ids = {f.column or n for n, f in features if isinstance(f, CategoricalFeature)}
        for name, feature in features:
            column, who = feature.column or name, f"feature `{name}`"
            if isinstance(feature, CategoricalFeature):
                self._add(column, "id", who)
                if feature.encoding == "vocabulary" and not feature.table:
                    self._count(self.vocabularies, column)
                continue
            self._count(self.numbers, column)
            if feature.nullable and column not in ids:
                self.kinds[column] = "nullable"
            self._add(column, "id" if column in ids else "number", who)

    def _add(self, column: str, kind: Kind, who: str) -> None:
        self.kinds.setdefault(column, kind)
        self.needed_by.setdefault(column, who)

    @staticmethod
    def _count(columns: list[str], column: str) -> None:
        if column not in columns:
            columns.append(column)
