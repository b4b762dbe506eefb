"""The processes of a training: only the chief writes, and all stay in step."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.cluster import CHIEF_SAYS_WHY
from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.run import Run

# What TensorFlow raises if another process of the training has ended.
_GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


class Workers:
    """The processes that train one model together, or just one.

    Every process must make the same calls in the same order.

    Args:
        strategy: The strategy of the training.

    Attributes:
        several: Whether there is more than one.
        is_chief: Whether this process is the one that writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        of_several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.several = of_several and bool(
            strategy.cluster_resolver.cluster_spec().as_dict()
        )
        self.is_chief = bool(strategy.extended.should_checkpoint)

    def share(self, values: Sequence[float]) -> list[float]:
        """Returns the chief's values in every process.

        Args:
            values: This process's values, as many as the chief's.
        """
        if not self.several:
            return list(values)
        mine = np.asarray(values, np.float64)
        sent = tf.constant(mine if self.is_chief else np.zeros_like(mine))
        return self._sum(sent).tolist()

    def any(self, value: bool) -> bool:
        """Whether a value is true in any process.

        Args:
            value: This process's value.
        """
        if not self.several:
            return value
        return bool(self._sum(tf.constant(float(value))) > 0)

    def _sum(self, values: Any) -> Any:
        return self._strategy.reduce("SUM", values, axis=None).numpy()

    def check_same(self, what: str, text: str) -> None:
        """Raises a `HomeError` in every process if a text is not the chief's.

        Args:
            what: What the text belongs to, for the message.
            text: Any text.
        """
        digest = hashlib.sha256(text.encode()).digest()
        mine = [float(int.from_bytes(digest[:6], "big"))]  # exact in a float
        different = self.share(mine) != mine
        if self.any(different):
            here = "another than the chief's" if different else "not the same"
            raise HomeError(
                f"{what} must be the same in all processes of a training. Received: "
                f"{here} here. Start the same command everywhere, on the same files"
            )

    @contextmanager
    def hold(self, run: Run, config: Config, data: DatasetDirectory) -> Iterator[Run]:
        """Yields the run to write to: the real one for the chief, else a scratch one.

        All processes leave the context together.

        Args:
            run: The run.
            config: Its configuration.
            data: The dataset directory.

        Raises:
            HomeError: As `Run.hold` raises in the chief, and then in the others, too.
        """
        as_chief = self._hold_as_chief(run, config, data)
        with as_chief if self.is_chief else self._follow() as mine:
            yield mine
            self.share([0.0])

    @contextmanager
    def _hold_as_chief(
        self, run: Run, config: Config, data: DatasetDirectory
    ) -> Iterator[Run]:
        begun = False
        try:
            with run.hold(config, data):
                begun = True
                self.share([1.0])
                yield run
        finally:
            if not begun:
                self.share([0.0])

    @contextmanager
    def _follow(self) -> Iterator[Run]:
        if self.share([0.0]) != [1.0]:
            raise HomeError(CHIEF_SAYS_WHY)
        with TemporaryDirectory() as scratch:
            yield Run(Path(scratch))

    @contextmanager
    def explain_gone(self) -> Iterator[None]:
        """Turns TensorFlow's error when another process has ended into one line.

        Raises:
            HomeError: If another process has ended.
        """
        try:
            yield
        except _GONE:
            if not self.several:
                raise
            raise HomeError(
                "another process of the training has stopped; its message says why. "
                "Start all processes again to resume from the last checkpoint"
            ) from None
