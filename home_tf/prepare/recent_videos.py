"""The last videos of every user, most recent first."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class RecentVideos:
    """Remembers, for every user, the last few videos that something happened with.

    Args:
        users: Number of users.
        length: How many videos to remember.

    Attributes:
        videos: `(users, length)` int64 video ids, most recent first, padded with -1.
    """

    def __init__(self, users: int, length: int) -> None:
        self.videos = np.full((users, length), -1, np.int64)

    def add(self, user: Integers, video: Integers, when: Integers) -> None:
        """Remembers events.

        Args:
            user: `(events,)`.
            video: `(events,)` video ids.
            when: `(events,)`, when it happened, in any unit, later than the events of
                earlier calls. Of two events at one time the later row is more recent.
        """
        if not user.size:
            return
        order = np.lexsort((when, user))
        user, video = user[order], video[order]
        touched, count = np.unique(user, return_counts=True)
        # How many events of the same user come after each event.
        later = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(user))
        length = self.videos.shape[1]
        moved = self._moved(touched, np.minimum(count, length))
        kept = later < length
        row = np.repeat(np.arange(len(touched)), count)
        moved[row[kept], later[kept]] = video[kept]
        self.videos[touched] = moved

    def _moved(self, users: Integers, count: Integers) -> Integers:
        """The users' rows, moved right by `count` to make room at the front."""
        source = np.arange(self.videos.shape[1]) - count[:, None]
        rows: Integers = np.take_along_axis(
            self.videos[users], np.maximum(source, 0), axis=1
        )
        return rows
