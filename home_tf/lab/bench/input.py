"""Benchmarking how fast records are read and written in both layouts."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.config import Config, make_config
from home_tf.data import DatasetDirectory
from home_tf.data.schema import LAYOUTS
from home_tf.lab.bench.records import RecordSizes, Rows, make_rows, write_records
from home_tf.lab.bench.timing import Seconds, ratio, time_in_turn
from home_tf.lab.synthetic.generate import generate
from home_tf.prepare import prepare

BATCH = 1024
# Starting an epoch takes as long as 100,000 rows: short ones would measure that.
READ_ROWS = 1_000_000
# Writing has nothing to start, and the slow ways take long.
_WRITTEN_ROWS = 200_000
_SLOW_ROWS = 5_000


def bench_input(
    sizes: RecordSizes | None = None,
    *,
    rounds: int = 5,
    prepared_rows: int = READ_ROWS,
) -> dict[str, Any]:
    """Measures writing and reading a split in both layouts, and preparing logs.

    Both layouts are read by `DatasetDirectory.read` in batches of 1024, shuffled, for
    an epoch. The limit is the rate at which `tf.data.TFRecordDataset` gives the raw
    records of the row layout; the slow ways are those of a first attempt:
    `tf.train.Example` objects built in Python, and `tf.io.parse_single_example` row by
    row.

    Args:
        sizes: What to measure; by default a million rows of 46 columns.
        rounds: Timed passes of each.
        prepared_rows: Rows of the generated logs, which are prepared once.

    Returns:
        `{key: value}`: ratios as `{"median", "low", "high"}` (quartiles over rounds),
        and medians in rows a second.
    """
    sizes = sizes or RecordSizes(READ_ROWS)
    rows = make_rows(sizes)
    with TemporaryDirectory() as folder:
        written = _time_writing(Path(folder), sizes, rows, rounds)
        seconds = _time_reading(Path(folder), sizes, rows, rounds)
    found: dict[str, Any] = {
        "input.rounds": rounds,
        "input.packed_vs_rows": ratio(seconds["rows"], seconds["packed"]),
        "input.packed_vs_raw_records": ratio(seconds["raw"], seconds["packed"]),
        "input.rows_vs_row_by_row": ratio(seconds["row_by_row"], seconds["rows"]),
        "input.write_rows_vs_objects": ratio(written["objects"], written["rows"]),
    }
    for name in (*LAYOUTS, "raw", "row_by_row"):
        found[f"input.{name}.rows_per_second"] = float(1 / np.median(seconds[name]))
    for name in (*LAYOUTS, "objects"):
        found[f"input.write_{name}.rows_per_second"] = float(
            1 / np.median(written[name])
        )
    found["input.prepare.rows_per_second"] = _prepared_rows_a_second(prepared_rows)
    return found


def _time_writing(
    folder: Path, sizes: RecordSizes, rows: Rows, rounds: int
) -> dict[str, Seconds]:
    """Times each way to write, in seconds per row."""
    count = min(sizes.rows, _WRITTEN_ROWS)
    some, few = (
        {name: values[:most] for name, values in rows.items()}
        for most in (count, _SLOW_ROWS)
    )
    writers: dict[str, Callable[[], object]] = {
        layout: partial(write_records, folder / layout, layout, sizes, some)
        for layout in LAYOUTS
    }
    seconds = time_in_turn(
        {**writers, "objects": lambda: _count(_objects(few))}, rounds=rounds
    )
    return _a_row(seconds, count)


def _time_reading(
    folder: Path, sizes: RecordSizes, rows: Rows, rounds: int
) -> dict[str, Seconds]:
    """Times each way to read, in seconds per row."""
    folders = {layout: folder / layout for layout in LAYOUTS}
    for layout, path in folders.items():
        write_records(path, layout, sizes, rows)
    return _a_row(time_in_turn(_readers(folders), rounds=rounds, warm_up=1), sizes.rows)


def _prepared_rows_a_second(rows: int) -> float:
    """Measures the speed of `home-tf prepare` on generated logs, without startup."""
    with TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        users, videos = max(10, rows // 33), max(10, rows // 125)  # as in KuaiRand-Pure
        generate(logs, rows=rows, users=users, videos=videos)
        start = time.perf_counter()
        prepare(logs, _logs_config(), Path(folder, "records"))
        return rows / (time.perf_counter() - start)


def _logs_config() -> Config:
    """The configuration of the generated logs: 43 features, 33 from history."""
    tasks = ["long_view", "is_click", "is_profile_enter", "is_like", "is_comment"]
    tasks += ["is_follow", "is_forward", "effective_view", "finish", "comment_open"]
    keys = ("user", "video", "author")
    numbers = [f"{key}_{task}_rate" for key in keys for task in tasks]
    numbers += [f"{key}_impressions" for key in keys] + ["duration_ms"]
    ids = [f"{key}_id" for key in keys] + ["tab", "hour", "user_active_degree"]
    ids += ["onehot_feat0", "video_type", "tag"]
    return make_config(
        {
            "features": {
                **{name: {"type": "categorical", "width": 4} for name in ids},
                **{name: {"type": "numeric"} for name in numbers},
            },
            "tasks": {task: {"group": "all"} for task in tasks},
            "data": {
                "log": "log_standard*.csv*",
                "tables": {
                    "users": {"files": "user_features_*.csv", "key": "user_id"},
                    "videos": {"files": "video_features_*.csv", "key": "video_id"},
                },
                "columns": {
                    "effective_view": "play_time_ms >= 3000",
                    "finish": "play_time_ms >= 0.95 * duration_ms",
                    "comment_open": "comment_stay_time > 0",
                    "hour": "hourmin // 100",
                    "tag": {"separator": ",", "length": 4},
                },
                "time": "time_ms",
                "day": "date",
                "history": {key: {"key": f"{key}_id"} for key in keys},
            },
        }
    )


def _a_row(seconds: dict[str, Seconds], rows: int) -> dict[str, Seconds]:
    slow = dict.fromkeys(("objects", "row_by_row"), min(rows, _SLOW_ROWS))
    return {name: values / slow.get(name, rows) for name, values in seconds.items()}


def _objects(rows: Rows) -> Iterable[bytes]:
    """Serialises rows the way a first attempt would."""
    train = tf.train
    for row in range(len(next(iter(rows.values())))):
        features = {}
        for name, values in rows.items():
            if values.dtype.kind == "i":
                ints = train.Int64List(value=[values[row]])
                features[name] = train.Feature(int64_list=ints)
            else:
                floats = train.FloatList(value=[values[row]])
                features[name] = train.Feature(float_list=floats)
        example = train.Example(features=train.Features(feature=features))
        yield example.SerializeToString()


def _readers(folders: dict[str, Path]) -> dict[str, Callable[[], object]]:
    files = sorted(map(str, folders["rows"].glob("*.tfrecord")))
    features = DatasetDirectory(folders["rows"]).schema.example_features()
    raw = tf.data.TFRecordDataset(files)
    row_by_row = raw.take(_SLOW_ROWS).map(
        lambda example: tf.io.parse_single_example(example, features),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    datasets = {
        **{
            layout: DatasetDirectory(folder).read(
                "train", batch_size=BATCH, shuffle_rows=65536
            )
            for layout, folder in folders.items()
        },
        "raw": raw.batch(BATCH).prefetch(tf.data.AUTOTUNE),
        "row_by_row": row_by_row.batch(BATCH).prefetch(tf.data.AUTOTUNE),
    }
    return {name: partial(_read_all, dataset) for name, dataset in datasets.items()}


def _read_all(dataset: tf.data.Dataset) -> int:
    # Not in Python, which would take as long for the tensors of a batch as reading it.
    return int(dataset.reduce(np.int64(0), lambda count, _: count + 1))


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)
