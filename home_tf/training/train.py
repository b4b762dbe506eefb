"""Training, from a configuration and prepared data to a run's folder."""

import functools
from contextlib import closing
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from home_tf.backend import IS_LEGACY, keras
from home_tf.config import Config, dump_config, load_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.provenance import git_revision
from home_tf.run import Run
from home_tf.training.broken_records import explain_broken_records
from home_tf.training.build_model import build_model
from home_tf.training.callbacks import (
    Checkpoints,
    History,
    ProgressBar,
    Speed,
    Validation,
)
from home_tf.training.check_keras import check_keras
from home_tf.training.predictions import Predictor
from home_tf.training.ranking_dataset import ranking_dataset


def train(
    config: Config,
    data: DatasetDirectory | str | Path,
    out: str | Path,
    *,
    strategy: tf.distribute.Strategy | None = None,
    console: Console | None = None,
) -> Run:
    """Trains a model, or goes on where an interrupted training stopped.

    Args:
        config: The configuration.
        data: The dataset directory.
        out: The run's folder; if it holds a run of the same configuration, that run is
            resumed at its last complete epoch.
        strategy: By default `MirroredStrategy` over all visible GPUs; none for a single
            one, or the CPU, where it would cost and give nothing.
        console: Where progress is shown; by default nowhere.

    Returns:
        The run, with its best checkpoint.

    Raises:
        HomeError: If the data does not fit the configuration, or `out` holds a run of
            another configuration or of the other Keras.
    """
    run = Run(Path(out))
    keras.utils.set_random_seed(config.training.seed)
    data = DatasetDirectory.of(data)
    preprocessor = Preprocessor(config.features, data)
    steps_per_epoch = _steps_per_epoch(config, data)
    strategy = strategy or default_strategy(len(tf.config.list_logical_devices("GPU")))
    with strategy.scope():
        steps = steps_per_epoch * config.training.epochs
        model = build_model(config, preprocessor, steps=steps)
    _start_run(run, config, data)
    checkpoints = Checkpoints(run, model, config.training.patience)
    first_epoch = checkpoints.restore()
    if first_epoch < config.training.epochs and not checkpoints.best_epoch.exhausted:
        with explain_broken_records(data, "train", "validation"):
            _fit(config, data, run, model, preprocessor, checkpoints, console)
    return run


@functools.cache
def default_strategy(num_gpus: int) -> tf.distribute.Strategy:
    """The strategy for a machine with so many GPUs."""
    if num_gpus < 2:
        return tf.distribute.get_strategy()
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])


def _steps_per_epoch(config: Config, data: DatasetDirectory) -> int:
    splits = data.schema.splits
    for split in ("train", "validation"):
        if split not in splits or not splits[split].rows:
            raise HomeError(
                f"{data}: no rows in the split {split!r}, which training needs. "
                "Prepare the data again"
            )
    return -(-splits["train"].rows // config.training.batch_size)


def _start_run(run: Run, config: Config, data: DatasetDirectory) -> None:
    if run.config_file.is_file():
        if load_config(run.config_file) != config:
            raise HomeError(
                f"{run.folder}: holds a run of another configuration (see "
                f"{run.config_file.name}). Name another folder, or remove this one"
            )
        check_keras(run)
    elif run.folder.is_dir() and any(run.folder.iterdir()):
        raise HomeError(
            f"{run.folder}: is not empty, and no run. Name another folder for the run"
        )
    run.folder.mkdir(parents=True, exist_ok=True)
    run.save_state(data=str(data.path.resolve()))
    dump_config(config, run.config_file)


def _fit(
    config: Config,
    data: DatasetDirectory,
    run: Run,
    model: Any,
    preprocessor: Preprocessor,
    checkpoints: Checkpoints,
    console: Console | None,
) -> None:
    run.save_state(git_revision=git_revision(), legacy_keras=IS_LEGACY)
    # They are of the checkpoint that this training replaces.
    run.metrics_file.unlink(missing_ok=True)
    training = config.training
    first_epoch = checkpoints.best_epoch.epochs_done
    steps = _steps_per_epoch(config, data)
    speed = Speed(training.batch_size)
    history = History(str(run.history_file), append=first_epoch > 0)
    bar = ProgressBar(training.epochs, steps, speed, console or Console(quiet=True))
    dataset = ranking_dataset(
        data,
        "train",
        preprocessor,
        config.tasks,
        batch_size=training.batch_size,
        shuffle_rows=training.shuffle_rows,
        seed=training.seed,
        epochs=training.epochs,
        first_epoch=first_epoch,
    )
    with closing(history), closing(bar):
        model.fit(
            dataset,
            initial_epoch=first_epoch,
            epochs=training.epochs,
            steps_per_epoch=steps,
            callbacks=[
                speed,
                _validation(config, data, model, preprocessor),
                checkpoints,
                history,
                keras.callbacks.TensorBoard(
                    str(run.folder / "logs"), write_graph=False
                ),
                bar,
            ],
            shuffle=False,
            verbose=0,
        )
    if speed.examples_per_second is not None:
        run.save_state(examples_per_second=round(speed.examples_per_second, 1))


def _validation(
    config: Config, data: DatasetDirectory, model: Any, preprocessor: Preprocessor
) -> Validation:
    dataset = ranking_dataset(
        data,
        "validation",
        preprocessor,
        config.tasks,
        batch_size=config.training.batch_size,
        group_by=config.evaluation.group_by,
    )
    predictor = Predictor(model.network)
    monitored = config.training.monitor_tasks or tuple(config.tasks)
    return Validation(lambda: predictor.predict(dataset), monitored)
