"""What was known about users, videos and authors before a day began."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.prepare.counts import Counts
from home_tf.prepare.recent_videos import RecentVideos
from home_tf.prepare.tasks import TASKS

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

ENTITIES = ("user", "video", "author")
SEQUENCES = {"user_watched_videos": "long_view", "user_liked_videos": "is_like"}


class PointInTime:
    """Running statistics that turn into features of the rows to come.

    For an entity that was shown `n` times with a known label of a task, `p` of them
    positive:

        rate = (p + smoothing * prior) / (n + smoothing)

    where `prior` is the rate of the task over all rows so far. It is 0 as long as there
    are none, and so is every rate. Nothing here knows of days: a caller that asks for
    the features of a whole day before it adds that day's rows sees only the past.

    Args:
        sizes: Number of users, videos and authors, by the names of `ENTITIES`.
        history_length: How many videos a user's sequences hold.
        smoothing: The weight of the prior, in impressions.
    """

    def __init__(
        self, sizes: dict[str, int], *, history_length: int, smoothing: float
    ) -> None:
        self._counts = {name: Counts(sizes[name]) for name in ENTITIES}
        self._recent = {
            name: RecentVideos(sizes["user"], history_length) for name in SEQUENCES
        }
        self._smoothing = smoothing
        self._known = np.zeros(len(TASKS))
        self._positives = np.zeros(len(TASKS))

    def features(self, positions: dict[str, Integers]) -> dict[str, Array]:
        """Computes the history features of rows.

        Args:
            positions: For each of `ENTITIES`, `(rows,)` positions; -1 for none.

        Returns:
            `<entity>_impressions` and `<entity>_<task>_rate`, `(rows,)` float32, and
            the `SEQUENCES`, `(rows, history_length)` int64.
        """
        features: dict[str, Array] = {}
        for entity in ENTITIES:
            impressions, known, positives = self._counts[entity].take(positions[entity])
            features[f"{entity}_impressions"] = impressions.astype(np.float32)
            rates = self._rates(known, positives)
            for column, task in enumerate(TASKS):
                features[f"{entity}_{task}_rate"] = rates[:, column]
        for name, recent in self._recent.items():
            features[name] = recent.videos[positions["user"]]
        return features

    def add(
        self,
        positions: dict[str, Integers],
        video_id: Integers,
        labels: npt.NDArray[np.int8],
        when: Integers,
    ) -> None:
        """Adds rows to the past.

        Args:
            positions: For each of `ENTITIES`, `(rows,)` positions; -1 for none.
            video_id: `(rows,)`, what the sequences show.
            labels: `(rows, tasks)`: 0, 1, or -1 for a missing label.
            when: `(rows,)`, the order of the rows of one user.
        """
        for entity, counts in self._counts.items():
            counts.add(positions[entity], labels)
        self._known += np.count_nonzero(labels >= 0, axis=0)
        self._positives += np.count_nonzero(labels > 0, axis=0)
        for name, recent in self._recent.items():
            happened = labels[:, TASKS.index(SEQUENCES[name])] > 0
            recent.add(positions["user"][happened], video_id[happened], when[happened])

    def _rates(self, known: Array, positives: Array) -> npt.NDArray[np.float32]:
        prior = self._positives / np.maximum(self._known, 1)
        weight = known + self._smoothing
        # Without smoothing, an entity that was never shown has the prior as its rate.
        unseen = weight == 0
        rates = (positives + self._smoothing * prior) / np.where(unseen, 1, weight)
        return np.where(unseen, prior, rates).astype(np.float32)
