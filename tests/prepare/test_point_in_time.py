"""No row may know its own day: history features against a slow, plain reference."""

import importlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.kuairand import kuairand_config

from home_tf.config import override_config
from home_tf.prepare import prepare

TASKS = {
    "effective_view": lambda row: row["play_time_ms"] >= 3000,
    "long_view": lambda row: row["long_view"] == 1,
    "finish": lambda row: (
        row["play_time_ms"] >= 0.95 * row["duration_ms"] if row["duration_ms"] else None
    ),
    "is_click": lambda row: row["is_click"] == 1,
    "comment_open": lambda row: row["comment_stay_time"] > 0,
    "is_profile_enter": lambda row: row["is_profile_enter"] == 1,
    "is_like": lambda row: row["is_like"] == 1,
    "is_comment": lambda row: row["is_comment"] == 1,
    "is_follow": lambda row: row["is_follow"] == 1,
    "is_forward": lambda row: row["is_forward"] == 1,
}
# The rates that `kuairand_config` has.
RATED = ("long_view", "finish", "is_click", "is_like")
OUTCOMES = (
    *(task for task in TASKS if task in ("long_view",) or task.startswith("is_")),
    "is_hate",
    "play_time_ms",
    "profile_stay_time",
    "comment_stay_time",
)
SPLITS = ("train", "validation", "test")
LENGTH = 3
SMOOTHING = 5.0


def shuffle_outcomes(row, random):
    """Gives a row outcomes that are positive often enough for every task to count."""
    for name in OUTCOMES:
        row[name] = int(random.random() < 0.4)
    row["play_time_ms"] = int(random.choice([0, 2999, 3000, 30_000, 2_000_000]))
    row["comment_stay_time"] *= 700


@pytest.fixture
def dense(source, edit, read_csv):
    """A source with many positives, strangers, tied and jittered times, and history."""
    random = np.random.default_rng(0)

    def change(number, row):
        # Within a day, hour and tab tell the rows apart.
        row["hourmin"], row["tab"] = number % 24 * 100, number // 24 % 15
        row["time_ms"] = 1_650_000_000_000 + int(random.integers(50))
        row["user_id"] = int(random.integers(8)) + 25
        row["video_id"] = int(random.integers(12)) + 12
        if random.random() < 0.1:
            row["duration_ms"] = 0
        shuffle_outcomes(row, random)

    edit(source, "log_*", change)
    videos = source / "video_features_basic_synthetic.csv"
    authors = {"12": 7, "13": 7, "14": 7, "15": 8, "16": 8, "17": -1, "18": ""}
    edit(
        source,
        videos.name,
        lambda _, row: row.update(
            author_id=authors.get(row["video_id"], row["author_id"])
        ),
    )
    write_history(source, random)
    return source


def write_history(folder, random):
    rows = 60
    user = np.sort(random.integers(25, 35, rows))
    table = {
        "user_id": user.astype(np.int32),
        # Counted back to a user's most recent impression, -1.
        "pos_from_end": np.array(
            [-int((user[row:] == user[row]).sum()) for row in range(rows)], np.int16
        ),
        "video_id": random.integers(12, 26, rows).astype(np.int16),
        "is_like": random.integers(0, 2, rows).astype(np.int8),
        "long_view": random.integers(0, 2, rows).astype(np.int8),
    }
    order = random.permutation(rows)
    table = pa.table({name: values[order] for name, values in table.items()})
    pq.write_table(table, folder / "history_impressions_to_0424.parquet")


def load(source, read_csv):
    """All impressions as dicts of labels, oldest first, and the authors of videos."""
    videos = read_csv(source / "video_features_basic_synthetic.csv")
    authors = {int(row["video_id"]): row["author_id"] for row in videos}
    history = [
        {
            "date": 0,
            "time": row["pos_from_end"],
            "user": row["user_id"],
            "video": row["video_id"],
            "labels": {
                "is_like": row["is_like"] == 1,
                "long_view": row["long_view"] == 1,
            },
        }
        for row in pq.read_table(next(source.glob("*.parquet"))).to_pylist()
    ]
    log = []
    for text in read_csv(next(source.glob("log_*"))):
        row = {name: int(value) for name, value in text.items()}
        log.append(
            {
                "key": (row["date"], row["hourmin"] // 100, row["tab"]),
                "date": row["date"],
                "time": row["time_ms"],
                "user": row["user_id"],
                "video": row["video_id"],
                "labels": {task: label(row) for task, label in TASKS.items()},
            }
        )
    for row in history + log:
        author = authors.get(row["video"], "")
        row["author"] = int(author) if author not in ("", "-1") else None
    return sorted(history + log, key=lambda row: (row["date"], row["time"]))


def assert_same_rows(one, other):
    """The same rows, in whatever order: date, hour and tab tell them apart."""
    orders = [np.lexsort((c["tab"], c["hour"], c["date"])) for c in (one, other)]
    for name, values in other.items():
        np.testing.assert_array_equal(one[name][orders[0]], values[orders[1]], name)


def expected_features(row, earlier):
    features = {}
    for entity in ("user", "video", "author"):
        same = [
            other
            for other in earlier
            if row[entity] is not None and other[entity] == row[entity]
        ]
        features[f"{entity}_impressions"] = len(same)
        for task in RATED:
            features[f"{entity}_{task}_rate"] = rate(same, earlier, task)
    mine = [other for other in reversed(earlier) if other["user"] == row["user"]]
    for name, task in {
        "user_watched_videos": "long_view",
        "user_liked_videos": "is_like",
    }.items():
        videos = [other["video"] for other in mine if other["labels"].get(task)]
        features[name] = (videos + [-1] * LENGTH)[:LENGTH]
    return features


def rate(rows, earlier, task):
    def known(some):
        labels = [other["labels"].get(task) for other in some]
        return [label for label in labels if label is not None]

    overall = known(earlier)
    prior = sum(overall) / len(overall) if overall else 0.0
    mine = known(rows)
    return (sum(mine) + SMOOTHING * prior) / (len(mine) + SMOOTHING)


def test_every_history_feature_equals_a_plain_count_of_earlier_days(
    dense, tmp_path, read_csv, read_split
):
    config = kuairand_config(length=LENGTH, prior=SMOOTHING)
    prepare(dense, config, tmp_path / "out")
    impressions = load(dense, read_csv)
    by_key = {row["key"]: row for row in impressions if "key" in row}
    checked = 0
    for split in SPLITS:
        columns = read_split(tmp_path / "out", split)
        for number in range(len(columns["date"])):
            actual = {name: values[number] for name, values in columns.items()}
            row = by_key[actual["date"], actual["hour"], actual["tab"]]
            earlier = [other for other in impressions if other["date"] < row["date"]]
            for name, value in expected_features(row, earlier).items():
                np.testing.assert_allclose(
                    actual[name], value, rtol=1e-6, err_msg=f"{name} of {row}"
                )
            for task, label in row["labels"].items():
                np.testing.assert_equal(
                    actual[task], np.float32(np.nan if label is None else label), task
                )
            checked += 1
    assert checked == len(by_key) == 400


@pytest.mark.slow
def test_without_history_the_first_day_knows_nothing(source, tmp_path, read_split):
    prepare(source, kuairand_config(), tmp_path / "out")
    columns = read_split(tmp_path / "out", "train")
    first = columns["date"] == columns["date"].min()
    for name, values in columns.items():
        if name.endswith(("_rate", "_impressions")):
            assert not values[first].any(), name
        elif name in ("user_watched_videos", "user_liked_videos"):
            assert (values[first] == -1).all()
    assert columns["user_impressions"][~first].any()
    assert columns["author_is_click_rate"][~first].any()


@pytest.mark.slow
def test_without_smoothing_an_unseen_entity_has_the_overall_rate(
    dense, tmp_path, read_csv, read_split
):
    prepare(dense, kuairand_config(prior=0.0), tmp_path / "out")
    columns = read_split(tmp_path / "out", "train")
    second = columns["date"] == 20220426
    unseen = second & (columns["author_impressions"] == 0)
    assert unseen.any()
    earlier = [row for row in load(dense, read_csv) if row["date"] < 20220426]
    clicks = [row["labels"].get("is_click") for row in earlier]
    overall = np.mean([click for click in clicks if click is not None])
    np.testing.assert_allclose(columns["author_is_click_rate"][unseen], overall)


def test_no_row_sees_outcomes_of_its_own_or_a_later_day(
    dense, tmp_path, edit, read_split
):
    day, outcomes = 20220427, np.random.default_rng(1)
    prepare(dense, kuairand_config(), tmp_path / "before")

    def change(_, row):
        if int(row["date"]) >= day:
            shuffle_outcomes(row, outcomes)

    edit(dense, "log_*", change)
    prepare(dense, kuairand_config(), tmp_path / "after")
    changed = set()
    for split in SPLITS:
        before = read_split(tmp_path / "before", split)
        after = read_split(tmp_path / "after", split)
        past = before["date"] <= day
        for name, values in before.items():
            if name not in {*TASKS, "watch_time"}:
                np.testing.assert_array_equal(after[name][past], values[past], name)
            if differ(after[name][~past], values[~past]):
                changed.add(name)
    # The days after it do see them: the change was one that can be seen.
    assert {"user_is_click_rate", "video_finish_rate", "author_is_like_rate"} <= changed
    assert {"user_watched_videos", "user_liked_videos", "is_click"} <= changed
    assert not {"user_impressions", "video_id", "duration_ms", "hour"} & changed


def differ(one, other):
    both_nan = (one != one) & (other != other)
    return bool(((one != other) & ~both_nan).any())


@pytest.mark.slow
def test_days_before_the_first_training_day_still_count_as_history(
    dense, tmp_path, read_split
):
    whole = prepare(dense, kuairand_config(), tmp_path / "whole")
    late = prepare(dense, kuairand_config(first=20220427), tmp_path / "late")
    assert whole.splits["train"].rows == 240
    assert late.splits["train"].rows == 80
    every = read_split(tmp_path / "whole", "train")
    kept = every["date"] >= 20220427
    assert_same_rows(
        read_split(tmp_path / "late", "train"),
        {name: values[kept] for name, values in every.items()},
    )


@pytest.mark.slow
@pytest.mark.parametrize("split", ["days", "shares"])
def test_the_parts_that_are_sorted_at_once_do_not_matter(
    dense, tmp_path, monkeypatch, read_split, split
):
    config = override_config(kuairand_config(), {"data.split": {"by": split}})
    whole = prepare(dense, config, tmp_path / "whole", shards=1)
    module = importlib.import_module("home_tf.prepare.parts")
    # Some parts of several days, and some days of several parts.
    rows = [part.rows for part in whole.splits.values()]
    for number, part_rows in enumerate((7, min(rows) + 1, max(rows) // 2)):
        monkeypatch.setattr(module, "PART_ROWS", part_rows)
        prepare(dense, config, tmp_path / str(number), shards=1)
        for name in SPLITS:
            one = read_split(tmp_path / str(number), name)
            other = read_split(tmp_path / "whole", name)
            for column, values in other.items():
                np.testing.assert_array_equal(one[column], values, column)
