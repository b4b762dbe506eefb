"""How fast records are read and written: one layout against the other."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.bench.records import RecordSizes, Rows, make_rows, write_records
from home_tf.bench.timing import Seconds, ratio, time_in_turn
from home_tf.data import RecordSchema, read
from home_tf.data.schema import LAYOUTS

BATCH = 1024
# A pass reads so many epochs, for starting a dataset takes as long as 100,000 rows.
_EPOCHS = 3
# Of the slow ways only so many rows are timed.
_SLOW_ROWS = 5_000


def bench_input(sizes: RecordSizes | None = None, *, rounds: int = 5) -> dict[str, Any]:
    """Measures writing and reading a split in both layouts.

    Both are read by `home_tf.data.read` in batches of 1024, shuffled, for some epochs.
    The limit is the rate at which `tf.data.TFRecordDataset` gives the raw records of
    the row layout; the slow ways are those of a first attempt: `tf.train.Example`
    objects built in Python, and `tf.io.parse_single_example` row by row.

    Args:
        sizes: What to measure; by default 46 columns.
        rounds: Timed passes of each.

    Returns:
        `{key: value}`: ratios as `{"median", "low", "high"}` (quartiles over rounds),
        and medians in rows a second.
    """
    sizes = sizes or RecordSizes()
    rows = make_rows(sizes)
    with TemporaryDirectory() as folder:
        folders = {layout: Path(folder, layout) for layout in LAYOUTS}
        writers: dict[str, Callable[[], object]] = {
            layout: partial(write_records, path, layout, sizes, rows)
            for layout, path in folders.items()
        }
        few = {name: values[:_SLOW_ROWS] for name, values in rows.items()}
        written = time_in_turn(
            {**writers, "objects": lambda: _count(_objects(few))}, rounds=rounds
        )
        seconds = time_in_turn(_readers(folders), rounds=rounds, warm_up=1)
    some = min(sizes.rows, _SLOW_ROWS)
    written = _a_row(written, sizes.rows, few=some)
    seconds = _a_row(seconds, sizes.rows * _EPOCHS, few=some)
    found: dict[str, Any] = {
        "rounds": rounds,
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
    return found


def _a_row(seconds: dict[str, Seconds], rows: int, *, few: int) -> dict[str, Seconds]:
    slow = ("objects", "row_by_row")
    return {name: s / (few if name in slow else rows) for name, s in seconds.items()}


def _objects(rows: Rows) -> Iterable[bytes]:
    """Rows as one would serialise them first."""
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
    features = RecordSchema.load(folders["rows"]).example_features()
    raw = tf.data.TFRecordDataset(files)
    row_by_row = raw.take(_SLOW_ROWS).map(
        lambda example: tf.io.parse_single_example(example, features),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    datasets = {
        **{
            layout: read(
                folder, "train", batch_size=BATCH, shuffle_rows=65536, epochs=_EPOCHS
            )
            for layout, folder in folders.items()
        },
        "raw": raw.repeat(_EPOCHS).batch(BATCH).prefetch(tf.data.AUTOTUNE),
        "row_by_row": row_by_row.batch(BATCH).prefetch(tf.data.AUTOTUNE),
    }
    return {name: partial(_count, dataset) for name, dataset in datasets.items()}


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)
