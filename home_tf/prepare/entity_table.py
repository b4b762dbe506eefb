"""The users or the videos: their ids and their features, in columns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Feature:
    """One feature of every entity, stored as codes into its values.

    Attributes:
        values: `(values, ...)`; few of them, if any, are there twice.
        codes: `(entities,)`, the position in `values` of each entity's value.
    """

    values: Array
    codes: npt.NDArray[np.int32]

    def take(self, positions: npt.NDArray[np.int64]) -> Array:
        """Returns the values of the entities at `positions`, `(rows, ...)`."""
        return self.values[self.codes[positions]]

    def extended(
        self, kept: npt.NDArray[np.int64], size: int, missing: Any
    ) -> "Feature":
        """Moves the entities to `kept` of `size` places; the rest gets `missing`."""
        fill = np.asarray(missing, self.values.dtype)
        values = np.concatenate(
            [self.values, np.broadcast_to(fill, (1, *self.values.shape[1:]))]
        )
        codes = np.full(size, len(self.values), np.int32)
        codes[kept] = self.codes
        return Feature(values, codes)


@dataclass(frozen=True)
class EntityTable:
    """Entities in ascending order of their ids, each with its features.

    Attributes:
        ids: `(entities,)` int64, ascending, without repetition.
        features: By column name.
        missing: The value of each feature for an entity without features.
        known: `(entities,)`, whether the entity has features.
    """

    ids: npt.NDArray[np.int64]
    features: dict[str, Feature]
    missing: dict[str, Any]
    known: npt.NDArray[np.bool_] = field(repr=False)

    @classmethod
    def build(
        cls,
        ids: npt.NDArray[np.int64],
        columns: dict[str, Feature],
        missing: dict[str, Any],
    ) -> "EntityTable":
        """Sorts entities by id; of an id that is there twice, the first counts.

        Args:
            ids: `(rows,)`.
            columns: Features of the same rows.
            missing: The value of each feature for an entity without features.
        """
        ids, first = np.unique(ids, return_index=True)
        features = {
            name: Feature(column.values, column.codes[first])
            for name, column in columns.items()
        }
        return cls(ids, features, missing, np.ones(len(ids), np.bool_))

    def positions(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns the positions of `ids`, all of which must be in the table."""
        if self._is_range:
            return ids
        return np.searchsorted(self.ids, ids).astype(np.int64, copy=False)

    def unknown(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns those of `ids` that are not in the table, ascending."""
        if self._is_range:
            return np.unique(ids[ids >= len(self.ids)])
        places = np.searchsorted(self.ids, ids)
        found = self.ids[np.minimum(places, len(self.ids) - 1)] == ids
        return np.unique(ids[~found])

    def extended(self, ids: npt.NDArray[np.int64]) -> "EntityTable":
        """Adds entities without features.

        Args:
            ids: Ids that are not in the table; repetitions are fine.
        """
        if not ids.size:
            return self
        every = np.union1d(self.ids, ids)
        kept = np.searchsorted(every, self.ids).astype(np.int64)
        features = {
            name: feature.extended(kept, len(every), self.missing[name])
            for name, feature in self.features.items()
        }
        known = np.zeros(len(every), np.bool_)
        known[kept] = self.known
        return EntityTable(every, features, self.missing, known)

    @property
    def _is_range(self) -> bool:
        # The published ids are 0, 1, 2, ...: then an id is its own position.
        return bool(len(self.ids) and self.ids[-1] == len(self.ids) - 1)
