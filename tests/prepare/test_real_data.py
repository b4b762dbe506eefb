"""The published excerpt: run where it is, skipped where it is not."""

import numpy as np
import pytest
from support.kuairand import kuairand_config

from home_tf.prepare import prepare


@pytest.mark.slow
def test_the_real_excerpt_has_its_published_rows_and_rates(
    real_source, tmp_path, read_split
):
    warnings = []
    schema = prepare(
        real_source, kuairand_config(), tmp_path / "out", on_warning=warnings.append
    )
    assert {name: split.rows for name, split in schema.splits.items()} == {
        "train": 167_281,
        "validation": 13_103,
        "test": 13_580,
    }
    assert not warnings
    splits = [read_split(tmp_path / "out", split) for split in schema.splits]
    rates = {
        "effective_view": 0.590,
        "long_view": 0.316,
        # Of the rows whose video has a known duration.
        "finish": 0.168,
        "is_click": 0.449,
        "comment_open": 0.0443,
        "is_profile_enter": 0.0188,
        "is_like": 0.0174,
        "is_comment": 0.00257,
        "is_follow": 0.00128,
        "is_forward": 0.00081,
    }
    for task, rate in rates.items():
        labels = np.concatenate([columns[task] for columns in splits])
        assert np.nanmean(labels) == pytest.approx(rate, rel=0.005), task
        assert np.isnan(labels).sum() == (3101 if task == "finish" else 0)
    first = splits[0]["date"] == 20220425
    # The history file is known on the first day, for the two tasks that it holds.
    assert splits[0]["user_impressions"][first].max() == 50
    assert splits[0]["user_is_like_rate"][first].min() > 0
    assert not splits[0]["user_is_click_rate"][first].any()
    assert (splits[0]["user_watched_videos"][first] >= 0).mean() > 0.5
