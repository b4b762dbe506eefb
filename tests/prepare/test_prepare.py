import csv
import gzip
import json
from collections import Counter

import numpy as np
import pytest
from support.kuairand import kuairand_config

from home_tf.config import override_config
from home_tf.data import DatasetDirectory, RecordSchema
from home_tf.errors import HomeError
from home_tf.prepare import prepare as prepare_data

SPLITS = ("train", "validation", "test")
TASKS = (
    "effective_view",
    "long_view",
    "finish",
    "is_click",
    "comment_open",
    "is_profile_enter",
    "is_like",
    "is_comment",
    "is_follow",
    "is_forward",
)
NO_HISTORY = (
    "no file matches history_impressions*.parquet in {}: nothing counts as history only"
)
SEQUENCES = ("user_watched_videos", "user_liked_videos")


def prepare(source, out, *, validation=None, test=None, **options):
    split = {"validation": validation, "test": test}
    given = {key: day for key, day in split.items() if day is not None}
    return prepare_data(source, kuairand_config(**given), out, **options)


def files_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def learned_files(folder):
    """What is learned from training rows: vocabularies and statistics."""
    return {
        name: data
        for name, data in files_of(folder).items()
        if name.startswith("vocabularies") or name == "statistics.json"
    }


def sorted_rows(columns):
    """Rows in an order of their own, so that shards do not matter."""
    numbers = [values for values in columns.values() if values.ndim == 1]
    numbers = [values for values in numbers if values.dtype.kind != "O"]
    order = np.lexsort([np.nan_to_num(values) for values in numbers])
    return {name: values[order] for name, values in columns.items()}


def assert_same_rows(one, other, message=""):
    one, other = sorted_rows(one), sorted_rows(other)
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, f"{name} {message}")


@pytest.mark.slow
def test_days_become_splits(source, tmp_path, read_split):
    schema = prepare(source, tmp_path / "out")
    assert {name: split.rows for name, split in schema.splits.items()} == {
        "train": 240,
        "validation": 80,
        "test": 80,
    }
    dates = {
        split: set(read_split(tmp_path / "out", split)["date"].tolist())
        for split in SPLITS
    }
    assert dates == {
        "train": {20220425, 20220426, 20220427},
        "validation": {20220428},
        "test": {20220429},
    }


def test_rows_join_the_log_with_its_user_and_video(
    source, tmp_path, read_csv, edit, read_split
):
    edit(source, "log_*", lambda number, row: row.update(duration_ms=5_000 + number))
    prepare(source, tmp_path / "out")
    log = read_csv(next(source.glob("log_*")))
    users = {row["user_id"]: row for row in read_csv(next(source.glob("user_*")))}
    videos = {row["video_id"]: row for row in read_csv(next(source.glob("video_*")))}
    for split in SPLITS:
        columns = read_split(tmp_path / "out", split)
        for number, duration in enumerate(columns["duration_ms"]):
            row = log[int(duration) - 5_000]
            joined = {**users[row["user_id"]], **videos[row["video_id"]], **row}
            for name, value in expected_values(joined).items():
                np.testing.assert_equal(columns[name][number], value, name)


def expected_values(row):
    def code(text):
        return max(int(float(text)), -1) if text else -1

    day = np.datetime64(f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:]}")
    tags = [int(tag) for tag in row["tag"].split(",") if tag]
    play, duration = int(row["play_time_ms"]), int(row["duration_ms"])
    return {
        **{
            name: int(row[name])
            for name in ("user_id", "video_id", "author_id", "music_id", "tab", "date")
        },
        "hour": int(row["hourmin"]) // 100,
        "is_weekend": int(not np.is_busday(day)),
        **{
            name: row[name].encode()
            for name in row
            if name.endswith("_range") or name in ("video_type", "upload_type")
        },
        "user_active_degree": row["user_active_degree"].encode(),
        **{
            name: code(row[name])
            for name in row
            if name.startswith("onehot_")
            or name in ("is_live_streamer", "is_video_author", "music_type")
        },
        "tag": (tags + [-1] * 4)[:4],
        **{
            name: np.float32(row[name])
            for name in (
                *("follow_user_num", "fans_user_num", "friend_user_num"),
                "register_days",
            )
        },
        "video_age_days": (day - np.datetime64(row["upload_dt"])).astype(int),
        "effective_view": play >= 3000,
        "watch_time": np.float32(min(play, 300_000) / 1000),
        "finish": play >= 0.95 * duration,
        "comment_open": int(row["comment_stay_time"]) > 0,
        **{
            task: int(row[task])
            for task in TASKS
            if task.startswith("is_") or task == "long_view"
        },
    }


def test_no_outcome_is_a_column_but_the_labels(source, tmp_path):
    columns = set(prepare(source, tmp_path / "out").columns)
    assert not columns & {
        *("play_time_ms", "profile_stay_time", "comment_stay_time", "is_hate"),
        *("is_rand", "time_ms", "hourmin"),
    }
    assert set(TASKS) <= columns


def test_missing_values_have_their_own_mark(source, tmp_path, edit, read_split):
    def empty(number, row):
        if number:  # of a column that is empty throughout nobody knows the type
            row.update(dict.fromkeys(list(row)[1:], ""))

    edit(source, "user_*", empty)
    edit(source, "video_*", empty)
    edit(source, "log_*", lambda _, row: row.update(duration_ms=0))
    prepare(source, tmp_path / "out")
    columns = read_split(tmp_path / "out", "train")
    unknown = (columns["user_id"] > 0) & (columns["video_id"] > 0)
    assert unknown.sum() > 100
    columns = {name: values[unknown] for name, values in columns.items()}
    for name in ("author_id", "music_id", "music_type", "onehot_feat3", "tag"):
        assert (columns[name] == -1).all()
    for name in ("user_active_degree", "upload_type", "fans_user_num_range"):
        assert (columns[name] == b"").all()
    for name in ("video_age_days", "register_days", "duration_ms"):
        assert not columns[name].any()
    assert not columns["author_impressions"].any()
    assert np.isnan(columns["finish"]).all()
    vocabulary = DatasetDirectory(tmp_path / "out").vocabulary("author_id")
    assert len(vocabulary.values) == 1


def test_too_many_rows_without_a_match_are_an_error(source, tmp_path, edit):
    def change(number, row):
        if number % 5:
            row["user_id"] = 700

    edit(source, "log_*", change)
    said = (
        r"^320 of 400 rows have a user_id that is not in `users`\. Name the right key "
        r"or files, or allow it with `data\.tables\.users\.max_unmatched`$"
    )
    with pytest.raises(HomeError, match=said):
        prepare(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    allowed = override_config(
        kuairand_config(), {"data.tables.users.max_unmatched": 0.8}
    )
    prepare_data(source, allowed, tmp_path / "out")


def test_strangers_to_the_feature_files_are_kept_and_counted(
    source, tmp_path, edit, read_split
):
    def change(number, row):
        if number % 4 == 0:
            row["user_id"] = 700 + number % 8
        if number % 5 == 0:
            row["video_id"] = 90

    edit(source, "log_*", change)
    warnings = []
    prepare(source, tmp_path / "out", on_warning=warnings.append)
    assert [line for line in warnings if "has no 1" not in line] == [
        NO_HISTORY.format(source),
        "100 of 400 rows have a user_id that is not in `users`",
        "80 of 400 rows have a video_id that is not in `videos`",
    ]
    columns = read_split(tmp_path / "out", "test")
    stranger = columns["user_id"] >= 700
    assert stranger.sum() == 20
    assert (columns["onehot_feat0"][stranger] == -1).all()
    assert (columns["user_active_degree"][stranger] == b"").all()
    assert (columns["onehot_feat0"][~stranger] >= 0).all()
    # They have a history all the same.
    assert (columns["user_impressions"][stranger] > 20).all()
    video = columns["video_id"] == 90
    assert (columns["author_id"][video] == -1).all()
    assert (columns["video_impressions"][video] == 64).all()
    assert not columns["author_impressions"][video].any()


@pytest.mark.slow
def test_ids_need_not_be_small_or_dense(source, tmp_path, edit, read_split):
    prepare(source, tmp_path / "dense")

    def spread(column):
        return lambda _, row: row.update({column: int(row[column]) * 10**9 + 7})

    for column, file in {"user_id": "user_*", "video_id": "video_*"}.items():
        edit(source, file, spread(column))
        edit(source, "log_*", spread(column))
    prepare(source, tmp_path / "sparse")
    for split in SPLITS:
        dense = read_split(tmp_path / "dense", split)
        for name in ("user_id", "video_id", *SEQUENCES):
            known = dense[name] >= 0
            dense[name] = np.where(known, dense[name] * 10**9 + 7, -1)
        assert_same_rows(read_split(tmp_path / "sparse", split), dense)


@pytest.mark.slow
def test_vocabularies_count_the_training_rows(source, tmp_path, read_split):
    schema = prepare(source, tmp_path / "out")
    columns = read_split(tmp_path / "out", "train")
    categorical = {
        name
        for name, column in schema.columns.items()
        if column.dtype != "float32" and name not in ("date", *SEQUENCES)
    }
    folder = tmp_path / "out" / "vocabularies"
    assert {file.stem for file in folder.iterdir()} == categorical
    for name in categorical:
        values = columns[name].reshape(-1).tolist()
        values = [value.decode() if type(value) is bytes else value for value in values]
        counts = Counter(value for value in values if value not in (-1, ""))
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
            written = list(csv.reader(lines))
        assert written[0] == ["value", "count"]
        assert written[1:] == [[str(value), str(count)] for value, count in ordered]


def test_statistics_describe_the_training_rows(source, tmp_path, read_split):
    schema = prepare(source, tmp_path / "out")
    columns = read_split(tmp_path / "out", "train")
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    floats = {
        name for name, column in schema.columns.items() if column.dtype == "float32"
    }
    assert set(statistics) == floats
    for name, described in statistics.items():
        values = columns[name].astype(np.float64)
        values = values[~np.isnan(values)]
        expected = {
            "mean": values.mean(),
            "variance": values.var(),
            "log1p_mean": np.log1p(values).mean(),
            "log1p_variance": np.log1p(values).var(),
        }
        for key, value in expected.items():
            np.testing.assert_allclose(described[key], value, 1e-6, 1e-9, err_msg=name)
        np.testing.assert_allclose(
            described["quantiles"], np.quantile(values, np.linspace(0, 1, 101)), 1e-6
        )


def test_only_training_days_shape_vocabularies_and_statistics(source, tmp_path, edit):
    def replace_rows(days):
        def change(number, row):
            if row["date"] in days:
                row.update(
                    user_id=number % 3, video_id=19, tab=13, hourmin=300, is_like=1
                )
                row.update(duration_ms=1_000_000, play_time_ms=2_000_000)

        return change

    prepare(source, tmp_path / "before")
    edit(source, "log_*", replace_rows(("20220428", "20220429")))
    prepare(source, tmp_path / "after")
    before = files_of(tmp_path / "before")
    assert learned_files(tmp_path / "after") == learned_files(tmp_path / "before")
    assert files_of(tmp_path / "after") != before
    edit(source, "log_*", replace_rows(("20220427",)))
    prepare(source, tmp_path / "trained")
    assert learned_files(tmp_path / "trained") != learned_files(tmp_path / "before")


@pytest.mark.slow
def test_the_seed_orders_rows_within_their_day(source, tmp_path, read_split):
    for name, seed in {"one": 1, "same": 1, "other": 2}.items():
        prepare(source, tmp_path / name, seed=seed, shards=1)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "same")
    one, other = (read_split(tmp_path / name, "test") for name in ("one", "other"))
    assert not np.array_equal(one["user_id"], other["user_id"])
    assert_same_rows(one, other)


@pytest.mark.slow
def test_both_layouts_hold_the_same_rows(source, tmp_path, read_split):
    prepare(source, tmp_path / "packed", layout="packed")
    rows = prepare(source, tmp_path / "rows", layout="rows", compression="GZIP")
    assert (rows.layout, rows.compression) == ("rows", "GZIP")
    for split in SPLITS:
        assert_same_rows(
            read_split(tmp_path / "packed", split), read_split(tmp_path / "rows", split)
        )


@pytest.mark.slow
def test_the_source_may_be_plain_or_gzip_whole_or_in_parts(source, tmp_path, read_csv):
    other = tmp_path / "other"
    other.mkdir()
    for file in source.glob("*.csv"):
        with gzip.open(other / f"{file.name}.gz", "wb") as packed:
            packed.write(file.read_bytes())
    log = gzip.decompress(next(source.glob("log_*")).read_bytes()).splitlines(True)
    for part, lines in enumerate((log[1:150], log[150:]), start=1):
        file = other / f"log_standard_4_25_to_4_29_27k_part{part}.csv"
        file.write_bytes(log[0] + b"".join(lines))
    # Neither of the two is for us: the one is another policy, the other a leak.
    (other / "log_random_4_22_to_5_08_27k.csv").write_text("nothing")
    (other / "video_features_statistic_27k_part1.csv").write_text("nothing")
    prepare(source, tmp_path / "one")
    prepare(tmp_path / "other", tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@pytest.mark.slow
def test_logs_need_not_be_sorted_by_time(source, tmp_path, read_csv, write_csv):
    prepare(source, tmp_path / "by_time")
    file = next(source.glob("log_*"))
    rows = read_csv(file)
    write_csv(file, sorted(rows, key=lambda row: int(row["user_id"])))
    prepare(source, tmp_path / "by_user")
    by_time, by_user = (learned_files(tmp_path / n) for n in ("by_time", "by_user"))
    assert {k: v for k, v in by_time.items() if k[0] == "v"} == {
        k: v for k, v in by_user.items() if k[0] == "v"
    }


@pytest.mark.slow
def test_later_days_than_the_test_day_are_left_out(source, tmp_path, read_split):
    schema = prepare(source, tmp_path / "out", test=20220428)
    assert {name: split.rows for name, split in schema.splits.items()} == {
        "train": 160,
        "validation": 80,
        "test": 80,
    }
    assert set(read_split(tmp_path / "out", "test")["date"].tolist()) == {20220428}


@pytest.mark.slow
def test_a_day_between_validation_and_test_is_history(source, tmp_path, read_split):
    prepare(source, tmp_path / "gap", validation=20220427)
    schema = prepare(source, tmp_path / "whole")
    gap = RecordSchema.load(tmp_path / "gap")
    assert gap.splits["train"].rows == 160
    assert schema.splits["train"].rows == 240
    assert_same_rows(
        read_split(tmp_path / "gap", "test"), read_split(tmp_path / "whole", "test")
    )


@pytest.mark.slow
def test_a_prepared_folder_is_replaced_whole(source, tmp_path):
    out = tmp_path / "out"
    prepare(source, out, shards=4)
    (out / "stale.txt").write_text("stale")
    prepare(source, out, shards=2)
    fresh = tmp_path / "fresh"
    prepare(source, fresh, shards=2)
    assert files_of(out) == files_of(fresh)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "fresh",
        "out",
        "source",
    ]


def test_progress_counts_up_to_the_end(source, tmp_path):
    seen = []
    prepare(source, tmp_path / "out", progress=lambda *step: seen.append(step))
    stages = dict.fromkeys(stage for stage, _, _ in seen)
    assert list(stages) == ["reading rows", "joining rows", "writing records"]
    for stage in stages:
        done = [step[1] for step in seen if step[0] == stage]
        assert done == sorted(done)
        assert (stage, step_total(seen, stage), step_total(seen, stage)) in seen


def step_total(seen, stage):
    (total,) = {total for name, _, total in seen if name == stage}
    return total


def test_an_empty_folder_may_be_written(source, tmp_path):
    (tmp_path / "out").mkdir()
    prepare(source, tmp_path / "out")
    assert RecordSchema.load(tmp_path / "out").splits["train"].rows == 240


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["reading rows", "writing records"])
@pytest.mark.parametrize("existed", [False, True])
def test_a_failure_leaves_everything_as_it_was(source, tmp_path, stage, existed):
    out = tmp_path / "out"
    if existed:
        prepare(source, out)
    before = files_of(tmp_path)

    def fail(seen, done, total):
        if seen == stage and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, out, shards=3, progress=fail)
    assert files_of(tmp_path) == before
    assert {file.name for file in tmp_path.iterdir()} == (
        {"source", "out"} if existed else {"source"}
    )


@pytest.mark.slow
def test_ids_of_every_size_keep_apart(source, edit, tmp_path):
    """As floats, all of these from 2^60 on would be one."""
    authors = {}

    def change(number, row):
        authors[int(row["video_id"])] = 2**60 + number
        row["author_id"] = 2**60 + number

    edit(source, "video_features_basic_*", change)
    prepare(source, tmp_path / "out", shards=1)
    data = DatasetDirectory(tmp_path / "out")
    seen = set()
    for split in data.schema.splits:
        for batch in data.read(split, batch_size=1000):
            columns = (batch[n].numpy() for n in ("video_id", "author_id"))
            for video, author in zip(*columns, strict=True):
                assert author == authors.get(video, -1)
                seen.add(author)
    assert len(seen) > 15
    assert set(data.vocabulary("author_id").values) <= set(authors.values())


def test_what_a_killed_run_left_is_cleaned_by_the_next(source, tmp_path):
    left = tmp_path / ".other.partial"
    left.mkdir()
    (left / "half.tfrecord").write_text("half")
    (tmp_path / ".other.lock").touch()
    (tmp_path / ".mine.partial").mkdir()  # of nobody that we know
    prepare(source, tmp_path / "out", shards=1)
    assert not left.exists()
    assert (tmp_path / ".mine.partial").exists()
