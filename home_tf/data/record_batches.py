"""Reading records as batches of columns, for `DatasetDirectory`."""

import collections
import functools
import math
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf

from home_tf.data.schema import (
    FILE_NAME,
    ROWS_FEATURE,
    Column,
    RecordFile,
    RecordSchema,
    Split,
    example_dtype,
    fingerprint_file,
)
from home_tf.errors import HomeError
from home_tf.files import AnyPath, RemotePath, explain_no_answer

# Rows that are parsed at once: enough that the cost of starting ops does not count.
_PARSE_ROWS = 8192
# A chunk can be large, so memory bounds how many of them are in work at once.
_PARALLEL_CHUNKS = 2
_OPEN_FILES = 16
# Of remote files, whose requests take long; TensorFlow's default is a hundred times it.
_REMOTE_BUFFER_BYTES = 1 << 22
_CHECKED_AT_ONCE = 8
# Records read in a row from each of the open files.
_RECORDS_IN_TURN = {"packed": 1, "rows": 16}

Tensors = dict[str, Any]


def read_batches(
    folder: AnyPath,
    schema: RecordSchema,
    split: Split,
    columns: Mapping[str, Column],
    *,
    batch_size: int,
    shuffle_rows: int,
    seed: int,
    epochs: range,
    first_step: int,
    smallest_batch: int,
    drop_remainder: bool,
    input_context: tf.distribute.InputContext | None,
    transform: Callable[[Tensors], Any] | None,
) -> tf.data.Dataset:
    """Reads batches of a split; `DatasetDirectory.read` describes the arguments."""
    source = _record_source(folder, split, schema, shuffle_rows > 0)
    window, chunk = count_records(split, shuffle_rows, batch_size)

    def batches_of(epochs: range, first_step: int = 0) -> tf.data.Dataset:
        # There is nothing to convert, and looking for it takes seconds.
        @tf.autograph.experimental.do_not_convert
        def one_epoch(epoch: Any) -> tf.data.Dataset:
            seeds = epoch_seeds(seed, epoch)
            records = source(seeds[0])
            if window:
                records = records.shuffle(
                    window, seeds[1], reshuffle_each_iteration=False
                )
            if schema.layout == "rows":
                return records.batch(batch_size, drop_remainder).skip(first_step)
            chunks = skip_rows(records.batch(chunk), first_step * batch_size)
            decoded = decode_chunks(chunks, columns, seeds[2] if window else None)
            return decoded.rebatch(batch_size, drop_remainder)

        return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(one_epoch)

    if first_step:
        # Only the epoch that is read in part has to count its rows.
        rest = batches_of(epochs[:1], first_step)
        batches = rest.concatenate(batches_of(epochs[1:]))
    else:
        batches = batches_of(epochs)
    batches = share_batches(batches, smallest_batch, input_context)
    if schema.layout == "rows":
        parse = row_parser(columns)
        batches = batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    if transform is None:
        return batches
    transformed = batches.map(transform, num_parallel_calls=tf.data.AUTOTUNE)
    return transformed.prefetch(tf.data.AUTOTUNE)


def share_batches(
    batches: tf.data.Dataset,
    smallest_batch: int,
    input_context: tf.distribute.InputContext | None,
) -> tf.data.Dataset:
    """Drops batches that are too small, and divides the others among replicas."""
    if smallest_batch > 1:
        batches = batches.filter(_has_rows(smallest_batch))
    if input_context is not None:
        batches = batches.flat_map(_shares(input_context))
    return batches


def _has_rows(least: int) -> Callable[[Any], Any]:
    @tf.autograph.experimental.do_not_convert
    def has_rows(*batch: Any) -> Any:
        return num_rows(batch) >= least

    return has_rows


def check_context(context: tf.distribute.InputContext | None) -> None:
    """Raises a `HomeError` if the replicas of a context train out of step."""
    if context is None:
        return
    replicas, pipelines = context.num_replicas_in_sync, context.num_input_pipelines
    if replicas < pipelines or replicas % pipelines:
        raise HomeError(
            "`input_context` must be of a strategy whose workers have the same number "
            f"of replicas, in step with each other. Received: {replicas} replicas in "
            f"step for {pipelines} input pipelines, as of ParameterServerStrategy. Use "
            "MirroredStrategy or MultiWorkerMirroredStrategy"
        )


def _shares(context: tf.distribute.InputContext) -> Callable[[Any], tf.data.Dataset]:
    """Makes a function from a global batch to the batches of a pipeline's replicas.

    The replicas' batches differ by at most one row. With fewer rows than replicas some
    are empty: every replica takes part in every step, or the others would wait for it.
    """
    replicas = context.num_replicas_in_sync
    here = replicas // context.num_input_pipelines
    first = context.input_pipeline_id * here

    @tf.autograph.experimental.do_not_convert
    def shares(*parts: Any) -> tf.data.Dataset:
        batch = parts if len(parts) > 1 else parts[0]
        rows = tf.cast(num_rows(batch), tf.int64)

        @tf.autograph.experimental.do_not_convert
        def share(replica: Any) -> Any:
            begin, end = rows * replica // replicas, rows * (replica + 1) // replicas
            return tf.nest.map_structure(lambda values: values[begin:end], batch)

        return tf.data.Dataset.range(first, first + here).map(share)

    return shares


def num_rows(batch: Any) -> Any:
    """Counts the rows of a batch of any structure."""
    return tf.shape(tf.nest.flatten(batch)[0])[0]


def find_corrupt_record(
    folder: AnyPath, schema: RecordSchema, split: Split
) -> str | None:
    """Describes the first broken record of a split in one line."""
    problems = (_find_problem(folder / file.name, file, schema) for file in split.files)
    return next(filter(None, problems), None)


def _find_problem(path: AnyPath, file: RecordFile, schema: RecordSchema) -> str | None:
    count_rows = _row_counter(schema)
    found = rows = 0
    try:
        with explain_no_answer(path):
            for record in open_records(str(path), schema):
                rows += count_rows(record)
                found += 1
    except tf.errors.OpError as error:
        return (
            f"{path}: record {found} (of {file.records}, from 0) is broken: "
            f"{_cause(error)}"
        )
    if (found, rows) != (file.records, file.rows):
        return (
            f"{path}: has {rows} rows in {found} records, and in {FILE_NAME} "
            f"{file.rows} in {file.records}: it is another file. Copy the "
            "directory again, or run `home-tf prepare` again"
        )
    return None


def _row_counter(schema: RecordSchema) -> Callable[[Any], int]:
    """Makes a function that counts a record's rows, and fails on invalid ones."""
    features = (
        {ROWS_FEATURE: tf.io.FixedLenFeature((), tf.int64)}
        if schema.layout == "packed"
        else schema.example_features()
    )

    def count(record: Any) -> int:
        parsed = tf.io.parse_single_example(record, features)
        return int(parsed[ROWS_FEATURE]) if schema.layout == "packed" else 1

    return count


def check_files(folder: AnyPath, schema: RecordSchema, split: Split) -> None:
    """Raises a `HomeError` if a file of a split is missing or has changed."""
    with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
        check = functools.partial(_check_file, folder, schema)
        # In the order of the files: the first wrong one is reported.
        collections.deque(pool.map(check, split.files), 0)


def _check_file(folder: AnyPath, schema: RecordSchema, file: RecordFile) -> None:
    path = folder / file.name
    if not path.is_file():
        raise HomeError(f"{path}: the file is missing; run `home-tf prepare` again")
    size = path.stat().st_size
    if size != file.bytes:
        raise HomeError(
            f"{path}: the file must have {file.bytes} bytes. Received: {size}; "
            "copy the directory again, or run `home-tf prepare` again"
        )
    if fingerprint_file(path) != file.fingerprint:
        raise HomeError(
            _find_problem(path, file, schema)
            or f"{path}: is not the file that {FILE_NAME} describes, though it has "
            "as many bytes and rows. Copy the directory again, or run `home-tf "
            "prepare` again"
        )


def _cause(error: Any) -> str:
    """TensorFlow's error about a record, without the names of operations."""
    return " ".join(re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error.message)).split())


def _record_source(
    folder: AnyPath,
    split: Split,
    schema: RecordSchema,
    shuffled: bool,
) -> Callable[[Any], tf.data.Dataset]:
    """Makes a function from a seed to the serialised records."""
    paths = [str(folder / file.name) for file in split.files]
    count = sum(file.records for file in split.files)
    buffer = _REMOTE_BUFFER_BYTES if isinstance(folder, RemotePath) else None

    def records_of(seed: Any) -> tf.data.Dataset:
        files = tf.constant(paths)
        if shuffled:
            order = permutation(len(paths), seed, 0)
            records = tf.data.Dataset.from_tensor_slices(tf.gather(files, order))
            records = records.interleave(
                lambda path: open_records(path, schema, buffer),
                cycle_length=_OPEN_FILES,
                block_length=_RECORDS_IN_TURN[schema.layout],
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        else:
            records = open_records(files, schema, buffer)
        # One record more or less would move every epoch after it.
        return records.apply(tf.data.experimental.assert_cardinality(count))

    return records_of


def open_records(
    paths: Any, schema: RecordSchema, buffer: int | None = None
) -> tf.data.Dataset:
    """Reads the serialised records of files, one file after the other.

    Args:
        paths: The files' paths.
        schema: What is in them.
        buffer: Bytes that are read at once; by default TensorFlow's choice.
    """
    return tf.data.TFRecordDataset(paths, schema.compression or "", buffer)


def row_parser(columns: Mapping[str, Column]) -> Callable[[Any], Tensors]:
    """Makes a function from a batch of records of the layout `rows` to columns."""
    features = {
        name: tf.io.FixedLenFeature(column.shape, example_dtype(column))
        for name, column in columns.items()
    }

    def parse(examples: Any) -> Tensors:
        parsed = tf.io.parse_example(examples, features)
        return {
            name: tf.cast(parsed[name], column.dtype)
            if column.dtype == "int32"
            else parsed[name]
            for name, column in columns.items()
        }

    return parse


def skip_rows(chunks: tf.data.Dataset, rows: int) -> tf.data.Dataset:
    """Skips the chunks before a row, parsing only their numbers of rows.

    Returns:
        `(index, chunk, skipped)`: which chunk it is, its packed records, and how many
        of its first rows are to be left out.
    """
    if not rows:
        nothing = tf.constant(0, tf.int64)
        return chunks.enumerate().map(lambda index, chunk: (index, chunk, nothing))

    def place(start: Any, numbered: Any) -> Any:
        index, chunk = numbered
        end = start + tf.reduce_sum(_rows_of(chunk))
        skipped = tf.maximum(tf.constant(rows, tf.int64) - start, 0)
        return end, (index, chunk, skipped, end > rows)

    placed = chunks.enumerate().scan(tf.constant(0, tf.int64), place)
    needed = placed.filter(lambda index, chunk, skipped, needed: needed)
    return needed.map(lambda index, chunk, skipped, needed: (index, chunk, skipped))


def _rows_of(chunk: Any) -> Any:
    """Reads the number of rows of each packed record, `(records,)`."""
    rows = {ROWS_FEATURE: tf.io.FixedLenFeature((), tf.int64)}
    return tf.io.parse_example(chunk, rows)[ROWS_FEATURE]


def decode_chunks(
    chunks: tf.data.Dataset, columns: Mapping[str, Column], seed: Any | None
) -> tf.data.Dataset:
    """Decodes chunks of packed records, and shuffles the rows within each.

    Args:
        chunks: What `skip_rows` returns.
        columns: The columns.
        seed: Of the order of the rows; without one it is that of the files.
    """
    features = {
        name: tf.io.RaggedFeature(tf.string)
        if column.dtype == "string"
        else tf.io.FixedLenFeature((), tf.string)
        for name, column in columns.items()
    }
    features[ROWS_FEATURE] = tf.io.FixedLenFeature((), tf.int64)

    def decode(chunk: Any) -> Tensors:
        parsed = tf.io.parse_example(chunk, features)
        rows = parsed.pop(ROWS_FEATURE)
        with tf.control_dependencies([_check_lengths(columns, parsed, rows)]):
            return {
                name: _joined(column, parsed[name]) for name, column in columns.items()
            }

    def decode_rest(index: Any, chunk: Any, skipped: Any) -> Tensors:
        return {name: values[skipped:] for name, values in decode(chunk).items()}

    def decode_mixed(index: Any, chunk: Any, skipped: Any) -> Tensors:
        decoded = decode(chunk)
        rows = tf.shape(next(iter(decoded.values())))[0]
        order = permutation(rows, seed, index)[skipped:]
        return {name: tf.gather(values, order) for name, values in decoded.items()}

    if seed is None:
        return chunks.map(decode_rest, num_parallel_calls=tf.data.AUTOTUNE)
    return chunks.map(decode_mixed, num_parallel_calls=_PARALLEL_CHUNKS)


def _check_lengths(columns: Mapping[str, Column], parsed: Tensors, rows: Any) -> Any:
    """An op that fails if a packed column has the wrong number of values.

    Args:
        columns: The columns.
        parsed: Of each column the raw arrays, `(records,)`, or its strings (ragged).
        rows: Number of rows of each record, `(records,)`.
    """
    # One check for all columns: one for each takes seconds to trace.
    found, per_row = [], []
    for name, column in columns.items():
        if column.dtype == "string":
            lengths, size = parsed[name].row_lengths(), 1
        else:
            lengths = tf.strings.length(parsed[name])
            size = tf.as_dtype(column.dtype).size
        found.append(tf.cast(lengths, tf.int64))
        per_row.append([column.values_per_row * size])
    wrong = tf.reduce_any(tf.stack(found) != tf.constant(per_row, tf.int64) * rows, 1)
    first = tf.gather(list(columns), tf.argmax(tf.cast(wrong, tf.int32)))
    problem = tf.strings.join(
        ["column `", first, "`: a packed record does not fit its number of rows"]
    )
    return tf.debugging.Assert(~tf.reduce_any(wrong), [problem])


def _joined(column: Column, values: Any) -> Any:
    """Joins a column of several packed records: `(sum of rows, *shape)`."""
    if column.dtype == "string":
        joined = tf.identity(values.values)
    else:
        raw = tf.strings.reduce_join(values)
        joined = tf.io.decode_raw(raw, column.dtype, little_endian=True)
    return tf.reshape(joined, (-1, *column.shape))


def epoch_seeds(seed: int, epoch: Any) -> Any:
    """Derives the seeds of an epoch's files, records and rows: `(3,)`, int64."""
    if not tf.executing_eagerly():
        # `Dataset.shuffle` adds the graph's seed to its own, by default the global one;
        # this is the graph of `one_epoch` alone. Not 0: TensorFlow would then compare
        # the other seed, a tensor, in Python.
        tf.compat.v1.set_random_seed(1)
    return tf.random.stateless_uniform((3,), (seed, epoch), None, None, tf.int64)


def permutation(size: Any, seed: Any, index: Any) -> Any:
    """A permutation of `range(size)` that depends only on `(seed, index)`."""
    index = tf.cast(index, tf.int64)
    keys = tf.random.stateless_uniform((size,), (seed, index), None, None, tf.int32)
    return tf.argsort(keys)


def count_records(split: Split, shuffle_rows: int, batch_size: int) -> tuple[int, int]:
    """Decides how many records to shuffle together, and to decode at once."""
    records = sum(file.records for file in split.files)
    rows_per_record = max(1, math.ceil(split.rows / max(1, records)))
    window = math.ceil(shuffle_rows / rows_per_record)
    chunk = window or math.ceil(max(batch_size, _PARSE_ROWS) / rows_per_record)
    return window, chunk
