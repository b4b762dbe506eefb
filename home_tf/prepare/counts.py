"""Running counts of outcomes, by entity."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.prepare.tasks import TASKS

Array = npt.NDArray[Any]


class Counts:
    """How often each entity was shown, and with which outcomes, so far.

    Every task counts its own known labels: a label may be missing, and the history
    file knows only two of the tasks.

    Args:
        entities: Number of entities, of users say.

    Attributes:
        impressions: `(entities,)`.
        known: `(entities, tasks)`, the impressions whose label is known.
        positives: `(entities, tasks)`.
    """

    def __init__(self, entities: int) -> None:
        self.impressions = np.zeros(entities, np.uint32)
        self.known = np.zeros((entities, len(TASKS)), np.uint32)
        self.positives = np.zeros((entities, len(TASKS)), np.uint32)

    def add(self, entity: npt.NDArray[np.int64], labels: npt.NDArray[np.int8]) -> None:
        """Counts impressions.

        Args:
            entity: `(rows,)`, the entity that was shown; -1 for none.
            labels: `(rows, tasks)`: 0, 1, or -1 for a missing label.
        """
        entity, labels = entity[entity >= 0], labels[entity >= 0]
        touched, place = np.unique(entity, return_inverse=True)
        place = place.reshape(-1)
        self.impressions[touched] += _sums(place, None, len(touched))
        for task in range(len(TASKS)):
            known, positive = labels[:, task] >= 0, labels[:, task] > 0
            self.known[touched, task] += _sums(place, known, len(touched))
            self.positives[touched, task] += _sums(place, positive, len(touched))

    def take(self, entity: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Looks up `impressions`, `known` and `positives`, as float64.

        Args:
            entity: `(rows,)`; -1 for none, which has counts of 0.
        """
        exists = entity >= 0
        place = np.where(exists, entity, 0)
        return (
            self.impressions[place] * exists.astype(np.float64),
            self.known[place] * exists[:, None].astype(np.float64),
            self.positives[place] * exists[:, None].astype(np.float64),
        )


def _sums(place: Array, weights: Array | None, size: int) -> npt.NDArray[np.uint32]:
    return np.bincount(place, weights, size).astype(np.uint32)
