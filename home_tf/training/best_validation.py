"""Tracking the best validation of a training, for early stopping."""

import math
from dataclasses import dataclass


@dataclass
class BestValidation:
    """Tracks the scores of a training's validations, for early stopping.

    Attributes:
        patience: Validations without a better score before training stops.
        done: Number of validations so far.
        number: The number of the best one, from 1; 0 before the first.
        score: Its score.
    """

    patience: int
    done: int = 0
    number: int = 0
    score: float = -math.inf

    def add(self, score: float) -> bool:
        """Adds the score of a validation; returns whether it is the best so far.

        Args:
            score: The score; NaN, if it is undefined, is worse than any other.
        """
        self.done += 1
        score = -math.inf if math.isnan(score) else score
        if self.number and not score > self.score:
            return False
        self.number, self.score = self.done, score
        return True

    @property
    def exhausted(self) -> bool:
        """Whether the best validation was `patience` validations ago."""
        return self.done > 0 and self.done - self.number >= self.patience
