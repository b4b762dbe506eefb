"""How fast records are read and written: one layout against the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.bench.timing import Seconds, ratio, time_in_turn
from home_tf.data import Column, RecordSchema, RecordWriter, read
from home_tf.data.schema import LAYOUTS

BATCH = 1024
# Of the slow ways only so many rows are timed.
_SLOW_ROWS = 5_000

Rows = dict[str, Any]


@dataclass(frozen=True)
class InputSizes:
    """What is measured.

    Attributes:
        rows: Rows of the split.
        integers: Number of `int64` columns.
        floats: Number of `float32` columns.
        labels: Number of further `float32` columns.
    """

    rows: int = 200_000
    integers: int = 30
    floats: int = 10
    labels: int = 6

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return {
            **{f"integer_{i}": Column("int64") for i in range(self.integers)},
            **{f"float_{i}": Column("float32") for i in range(self.floats)},
            **{f"label_{i}": Column("float32") for i in range(self.labels)},
        }


def bench_input(sizes: InputSizes | None = None, *, rounds: int = 10) -> dict[str, Any]:
    """Measures writing and reading a split in both layouts.

    Both are read by `home_tf.data.read` in batches of 1024, shuffled. The limit is the
    rate at which `tf.data.TFRecordDataset` gives the raw records of the row layout; the
    slow ways are those of a first attempt: `tf.train.Example` objects built in Python,
    and `tf.io.parse_single_example` row by row.

    Args:
        sizes: What to measure; by default 46 columns.
        rounds: Timed passes of each.

    Returns:
        `{key: value}`: ratios as `{"median", "low", "high"}` (quartiles over rounds),
        and medians in rows a second.
    """
    sizes = sizes or InputSizes()
    rows = _rows(sizes)
    with TemporaryDirectory() as folder:
        writers = {layout: _writer(folder, layout, sizes, rows) for layout in LAYOUTS}
        few = {name: values[:_SLOW_ROWS] for name, values in rows.items()}
        written = time_in_turn(
            {**writers, "objects": lambda: _count(_objects(few))}, rounds=rounds
        )
        folders = {layout: Path(folder, layout) for layout in LAYOUTS}
        seconds = time_in_turn(_readers(folders), rounds=rounds, warm_up=1)
    written = _a_row(written, sizes.rows, few=len(few["integer_0"]))
    seconds = _a_row(seconds, sizes.rows, few=min(sizes.rows, _SLOW_ROWS))
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


def _rows(sizes: InputSizes) -> Rows:
    random = np.random.default_rng(0)
    rows: Rows = {}
    for index, (name, column) in enumerate(sizes.columns.items()):
        if column.dtype == "int64":
            most = 10 ** (1 + index % 6)  # ids of small and of large vocabularies
            rows[name] = random.integers(0, most, sizes.rows)
        elif name.startswith("label"):
            rows[name] = random.integers(0, 2, sizes.rows).astype(np.float32)
        else:
            rows[name] = random.normal(size=sizes.rows).astype(np.float32)
    return rows


def _writer(
    folder: str, layout: Any, sizes: InputSizes, rows: Rows
) -> Callable[[], None]:
    def write() -> None:
        target = Path(folder, layout)
        (target / "schema.json").unlink(missing_ok=True)
        with RecordWriter(target, sizes.columns, layout=layout) as writer:
            for start in range(0, sizes.rows, 65536):
                part = slice(start, start + 65536)
                writer.write("train", {name: v[part] for name, v in rows.items()})

    return write


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
    raw = tf.data.Dataset.from_tensor_slices(files).interleave(
        tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE
    )
    row_by_row = raw.take(_SLOW_ROWS).map(
        lambda example: tf.io.parse_single_example(example, features),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    datasets = {
        **{
            layout: read(folder, "train", batch_size=BATCH, shuffle_rows=65536)
            for layout, folder in folders.items()
        },
        "raw": raw.batch(BATCH).prefetch(tf.data.AUTOTUNE),
        "row_by_row": row_by_row.batch(BATCH).prefetch(tf.data.AUTOTUNE),
    }
    return {name: lambda d=dataset: _count(d) for name, dataset in datasets.items()}


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)

