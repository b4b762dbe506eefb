"""Early stopping: the best validation, and when it is long past."""

import pytest

from home_tf.training.best_validation import BestValidation


@pytest.mark.parametrize(
    ("scores", "best", "stops_after"),
    [
        ([0.5, 0.6, 0.55, 0.58, 0.7], 2, 4),
        ([0.5, 0.5, 0.5], 1, 3),  # an equal score is no better one
        ([0.1, 0.2, 0.3], 3, None),
        ([0.0, float("nan"), 0.0], 1, 3),
    ],
)
def test_training_stops_when_the_best_validation_is_long_past(
    scores, best, stops_after
):
    validations = BestValidation(patience=2)
    assert not validations.exhausted
    stopped = None
    for number, score in enumerate(scores, start=1):
        assert validations.add(score) == (validations.number == number)
        if validations.exhausted:
            stopped = number
            break
    assert (validations.number, validations.score) == (best, scores[best - 1])
    assert stopped == stops_after
