"""Splits by shares whose test rows lie earlier, as the folds of a comparison need."""

import numpy as np
import pandas as pd
import pytest

from home_tf.config import SplitConfig, make_config
from home_tf.errors import HomeError
from home_tf.prepare import prepare

ROWS = 2000


@pytest.fixture
def prepare_shift(tmp_path, read_split):
    """Prepares rows with a shift; returns the numbers of the rows of each split."""

    def rows_of_splits(shift, **data):
        random = np.random.default_rng(0)
        frame = pd.DataFrame(
            {
                "row": np.arange(ROWS),
                "seen": pd.Timestamp("2026-03-01") + pd.to_timedelta(range(ROWS), "s"),
                "click": random.integers(2, size=ROWS),
            }
        )
        split = {"by": "shares", "validation": 0.2, "test": 0.1, "shift": shift}
        config = make_config(
            {
                "data": {"log": "-", "split": split, **data},
                "features": {"row": {"type": "categorical", "width": 2}},
                "tasks": {"click": {"group": "inter"}},
            }
        )
        out = tmp_path / f"shift-{shift}"
        prepare(frame, config, out, folder=tmp_path)
        splits = ("train", "validation", "test")
        return {s: set(read_split(out, s)["row"].tolist()) for s in splits}

    return rows_of_splits


def test_by_chance_every_row_tests_at_most_once(prepare_shift):
    found = [prepare_shift(shift) for shift in range(3)]
    for splits in found:
        assert sum(map(len, splits.values())) == ROWS
        assert len(set.union(*splits.values())) == ROWS
        assert len(splits["test"]) == pytest.approx(0.1 * ROWS, rel=0.25)
        assert len(splits["validation"]) == pytest.approx(0.2 * ROWS, rel=0.25)
    tests = [splits["test"] for splits in found]
    assert len(set.union(*tests)) == sum(map(len, tests))
    # What picks the hyper-parameters, in the most shifted one, tests nowhere.
    assert not found[-1]["validation"] & set.union(*tests)
    # By chance: the rows of a test share are spread over the file.
    assert min(tests[0]) < 0.1 * ROWS < 0.9 * ROWS < max(tests[0])


def test_in_time_the_rows_behind_are_left_out(prepare_shift):
    last, earlier = (prepare_shift(shift, time="seen") for shift in (0, 1))
    assert max(last["test"]) == ROWS - 1
    # Stretches that follow each other; of the last one on, nothing is in the earlier.
    for name, share in {"validation": 0.2, "test": 0.1}.items():
        for splits in (last, earlier):
            assert len(splits[name]) == pytest.approx(share * ROWS, abs=2)
    assert set.union(*earlier.values()) == set(range(min(last["test"])))
    for before, after in (("train", "validation"), ("validation", "test")):
        assert max(earlier[before]) + 1 == min(earlier[after])


def test_a_shift_leaves_rows_to_train_on():
    SplitConfig(by="shares", shift=7)
    with pytest.raises(HomeError, match=r"leave rows to train on.*, `shift` 9"):
        SplitConfig(by="shares", shift=9)
    with pytest.raises(HomeError, match=r"`shift` requires `by: shares`"):
        SplitConfig(shift=1)
