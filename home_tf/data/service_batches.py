"""Reading records through a tf.data service, which preprocesses them elsewhere."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from home_tf.data.record_batches import (
    count_records,
    decode_chunks,
    epoch_seeds,
    num_rows,
    open_records,
    permutation,
    row_parser,
    share_batches,
    skip_rows,
)
from home_tf.data.schema import Column, RecordSchema, Split
from home_tf.files import AnyPath

# What an error says if an epoch does not have the right rows: a batch is too small, or,
# in TensorFlow's words, a batch is missing.
_WRONG_BATCH = "not the number of rows of this batch"
_MISSING_BATCH = "was expected to contain"


def read_from_service(
    folder: AnyPath,
    schema: RecordSchema,
    split: Split,
    columns: Mapping[str, Column],
    *,
    service: str,
    batch_size: int,
    shuffle_rows: int,
    seed: int,
    epochs: range,
    first_step: int,
    smallest_batch: int,
    drop_remainder: bool,
    input_context: tf.distribute.InputContext | None,
    transform: Callable[[Any], Any] | None,
) -> tf.data.Dataset:
    """Reads batches of a split; `DatasetDirectory.read` describes the arguments."""
    paths = [str(folder.absolute() / file.name) for file in split.files]
    window, chunk = count_records(split, shuffle_rows, batch_size)

    def read_file(path: Any, seeds: Any) -> tf.data.Dataset:
        records = open_records(path, schema)
        if window:
            records = records.shuffle(window, seeds[1], reshuffle_each_iteration=False)
        if schema.layout == "rows":
            parse = row_parser(columns)
            rows = records.batch(batch_size)
            return rows.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        chunks = skip_rows(records.batch(chunk), 0)
        return decode_chunks(chunks, columns, seeds[2] if window else None)

    def batches_of(epochs: range, first_step: int = 0) -> tf.data.Dataset:
        # AutoGraph would find nothing to convert, but looking takes seconds.
        @tf.autograph.experimental.do_not_convert
        def one_epoch(epoch: Any) -> tf.data.Dataset:
            seeds = epoch_seeds(seed + first_step, epoch)
            order = permutation(len(paths), seeds[0], 0)
            # The files are what the dispatcher deals out. Shuffled together, a worker
            # would take as many at once as fill its buffers, and leave others none.
            files = tf.data.Dataset.from_tensor_slices(tf.gather(paths, order))
            batches = files.flat_map(lambda path: read_file(path, seeds))
            batches = batches.rebatch(batch_size)
            if transform is not None:
                batches = batches.map(transform, num_parallel_calls=tf.data.AUTOTUNE)
            # Each worker ends with its own partial batch.
            batches = _distribute(batches, service).rebatch(batch_size)
            return _check_rows(batches, split.rows, batch_size, first_step)

        # Each epoch is a separate job, which begins when the one before has been read.
        return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(one_epoch)

    if first_step:
        rest = batches_of(epochs[:1], first_step)
        batches = rest.concatenate(batches_of(epochs[1:]))
    else:
        batches = batches_of(epochs)
    least = batch_size if drop_remainder else smallest_batch
    batches = share_batches(batches, least, input_context)
    return batches.prefetch(tf.data.AUTOTUNE)


def has_lost_rows(error: tf.errors.OpError) -> bool:
    """Whether an error means that an epoch had fewer rows than it should."""
    return any(text in str(error) for text in (_WRONG_BATCH, _MISSING_BATCH))


def _distribute(dataset: tf.data.Dataset, service: str) -> tf.data.Dataset:
    """Distributes a dataset to the workers of a service, each element once."""
    distribute = tf.data.experimental.service.distribute(
        tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
    )
    with warnings.catch_warnings():
        # TensorFlow warns about its own reading of the dataset's options in a graph.
        warnings.filterwarnings("ignore", "To make it possible to preserve tf.data")
        return dataset.apply(distribute)


def _check_rows(
    batches: tf.data.Dataset, rows: int, batch_size: int, first_step: int
) -> tf.data.Dataset:
    """Checks the sizes of the batches of an epoch, and returns the rest of it.

    Args:
        batches: The batches of a whole epoch.
        rows: Rows per epoch.
        batch_size: Rows of a full batch.
        first_step: Number of batches to leave out at the start.
    """
    count = math.ceil(rows / batch_size)

    @tf.autograph.experimental.do_not_convert
    def check(step: Any, batch: Any) -> Any:
        expected = tf.minimum(rows - step * batch_size, batch_size)
        whole = tf.cast(num_rows(batch), tf.int64) == expected
        with tf.control_dependencies([tf.debugging.Assert(whole, [_WRONG_BATCH])]):
            # The last batch of the rest has as many rows as that of the epoch.
            kept = tf.minimum(expected, rows - (step + first_step) * batch_size)
            return tf.nest.map_structure(lambda values: values[:kept], batch)

    checked = batches.enumerate().map(check)
    whole = checked.apply(tf.data.experimental.assert_cardinality(count))
    return whole.take(count - first_step) if first_step else whole
