"""The best validation of a training, and when to stop waiting for a better one."""

import math
from dataclasses import dataclass


@dataclass
class BestValidation:
    """Follows the scores of a training's validations, for early stopping.

    Attributes:
        patience: Validations without a better score before training stops.
        done: Number of validations that are done.
        number: The best one, counted from 1; 0 before the first.
        score: Its score.
    """

    patience: int
    done: int = 0
    number: int = 0
    score: float = -math.inf

    def add(self, score: float) -> bool:
        """Adds the score of one more validation; returns whether it is the best so far.

        Args:
            score: The score; NaN, where it is undefined, is worse than any other.
        """
        self.done += 1
        score = -math.inf if math.isnan(score) else score
        if self.number and not score > self.score:
            return False
        self.number, self.score = self.done, score
        return True

    @property
    def exhausted(self) -> bool:
        """Whether the best validation is `patience` validations past."""
        return self.done > 0 and self.done - self.number >= self.patience
