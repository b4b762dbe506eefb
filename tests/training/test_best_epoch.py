"""Early stopping: the best epoch, and when it is long past."""

import pytest

from home_tf.training.best_epoch import BestEpoch


@pytest.mark.parametrize(
    ("scores", "best", "stops_after"),
    [
        ([0.5, 0.6, 0.55, 0.58, 0.7], 2, 4),
        ([0.5, 0.5, 0.5], 1, 3),  # an equal score is no better one
        ([0.1, 0.2, 0.3], 3, None),
        ([0.0, float("nan"), 0.0], 1, 3),
    ],
)
def test_training_stops_when_the_best_epoch_is_long_past(scores, best, stops_after):
    epochs = BestEpoch(patience=2)
    assert not epochs.exhausted
    stopped = None
    for epoch, score in enumerate(scores, start=1):
        assert epochs.add(score) == (epochs.epoch == epoch)
        if epochs.exhausted:
            stopped = epoch
            break
    assert (epochs.epoch, epochs.score) == (best, scores[best - 1])
    assert stopped == stops_after
