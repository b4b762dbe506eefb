"""From prepared records to batches of features, labels and sample weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from home_tf.config import Config
from home_tf.data import RecordSchema, read
from home_tf.errors import HomeError
from home_tf.features import Preprocessor


def ranking_dataset(
    config: Config,
    data: str | Path,
    split: str,
    preprocessor: Preprocessor,
    *,
    with_groups: bool = False,
    **read_options: Any,
) -> tf.data.Dataset:
    """A dataset to train or evaluate on.

    Args:
        config: The configuration.
        data: The prepared folder.
        split: Name of the split.
        preprocessor: Does the lookups, here in the input pipeline.
        with_groups: Whether a batch ends with GAUC's groups, `(batch,)`.
        **read_options: Of `home_tf.data.read`, such as `shuffle_rows` and `seed`.

    Returns:
        Batches `(features, labels, sample_weights)`, and `groups` if asked for. Labels
        and sample weights are dicts by task, `(batch,)`; sample weights hold the tasks
        that have some.

    Raises:
        HomeError: If a column is not in the data, or a file is missing or truncated.
    """
    _check_columns(config, data)

    def to_batch(columns: Mapping[str, Any]) -> tuple[Any, ...]:
        batch = (
            preprocessor(_finite(preprocessor, columns)),
            {name: _labels(config, name, columns) for name in config.tasks},
            _sample_weights(config, columns),
        )
        return (*batch, columns[config.evaluation.group_by]) if with_groups else batch

    read_options.setdefault("batch_size", config.training.batch_size)
    dataset = read(data, split, columns=config.columns, **read_options)
    # There is nothing to convert, and looking for it takes seconds.
    to_batch = tf.autograph.experimental.do_not_convert(to_batch)
    return dataset.map(to_batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(
        tf.data.AUTOTUNE
    )


def _finite(preprocessor: Preprocessor, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, where none of the features is NaN; labels may be."""
    features = preprocessor.columns
    return {
        name: tf.debugging.check_numerics(values, f"column {name!r} of the features")
        if name in features and values.dtype.is_floating
        else values
        for name, values in columns.items()
    }


def _check_columns(config: Config, data: str | Path) -> None:
    schema = RecordSchema.load(data)
    for name, task in config.tasks.items():
        wanted = {
            "label": task.label or name,
            "sample_weight": task.sample_weight,
            "space.column": task.space.column if task.space else None,
        }
        for key, column in wanted.items():
            if column is not None and column not in schema.columns:
                raise HomeError(
                    f"{data}: `tasks.{name}.{key}` is column {column!r}, which is not "
                    "in the prepared data. Its columns: "
                    f"{', '.join(sorted(schema.columns))}"
                )
    if config.evaluation.group_by not in schema.columns:
        raise HomeError(
            f"{data}: `evaluation.group_by` is column {config.evaluation.group_by!r}, "
            f"which is not in the prepared data"
        )


def _labels(config: Config, name: str, columns: Mapping[str, Any]) -> Any:
    task = config.tasks[name]
    labels = tf.cast(columns[task.label or name], tf.float32)
    if task.space is None:
        return labels
    defined = tf.cast(columns[task.space.column], tf.float32) == task.space.equals
    return tf.where(defined, labels, -1.0)


def _sample_weights(config: Config, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tf.cast(columns[task.sample_weight], tf.float32)
        for name, task in config.tasks.items()
        if task.sample_weight is not None
    }
