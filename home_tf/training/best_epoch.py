"""The best epoch of a training, and when to stop waiting for a better one."""

import math
from dataclasses import dataclass


@dataclass
class BestEpoch:
    """Follows the validation scores of a training's epochs, for early stopping.

    Attributes:
        patience: Epochs without a better score before training stops.
        epochs_done: Number of epochs that are done.
        epoch: The best epoch, counted from 1; 0 before the first.
        score: Its score.
    """

    patience: int
    epochs_done: int = 0
    epoch: int = 0
    score: float = -math.inf

    def add(self, score: float) -> bool:
        """Adds the score of one more epoch; returns whether it is the best so far.

        Args:
            score: The score; NaN, where it is undefined, is worse than any other.
        """
        self.epochs_done += 1
        score = -math.inf if math.isnan(score) else score
        if self.epoch and not score > self.score:
            return False
        self.epoch, self.score = self.epochs_done, score
        return True

    @property
    def exhausted(self) -> bool:
        """Whether the best epoch is `patience` epochs past."""
        return self.epochs_done > 0 and self.epochs_done - self.epoch >= self.patience
