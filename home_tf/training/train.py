"""Training, from a configuration and a dataset directory to a run's folder."""

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from home_tf.backend import keras
from home_tf.config import Config, TrainingConfig
from home_tf.data import DatasetDirectory
from home_tf.errors import Interrupted
from home_tf.run import Run
from home_tf.training.best_epoch import BestEpoch
from home_tf.training.callbacks import Checkpoints, training_callbacks
from home_tf.training.experiment import Experiment


def train(
    config: Config,
    data: DatasetDirectory | str | Path,
    out: str | Path,
    *,
    strategy: tf.distribute.Strategy | None = None,
    console: Console | None = None,
) -> Run:
    """Trains a model, or resumes an interrupted training.

    Args:
        config: The configuration.
        data: The dataset directory.
        out: The run's folder; if it holds a run of the same configuration, or of one
            with fewer epochs, that run goes on after its last complete epoch.
        strategy: By default `MirroredStrategy` over all visible GPUs; none for a single
            one, or the CPU, where it would cost and give nothing.
        console: Where progress is shown; by default nowhere.

    Returns:
        The run, with its best checkpoint.

    Raises:
        HomeError: If the data does not fit the configuration or has nothing to learn
            for a task, `out` holds a run of another configuration, of other data or of
            the other Keras, another training of the run is going on, the training
            diverges, or a checkpoint cannot be written.
        Interrupted: If the training is interrupted; the run holds the epochs before.
    """
    keras.utils.set_random_seed(config.training.seed)
    experiment = Experiment.open(config, data)
    experiment.check_rows("train", "validation", needed_by="training")
    experiment.check_tasks()
    strategy = strategy or default_strategy(len(tf.config.list_logical_devices("GPU")))
    with strategy.scope():
        model = experiment.make_model()
    run = Run(Path(out))
    with run.hold(config, experiment.data):
        _fit(run, experiment, model, console or Console(quiet=True))
    return run


def _fit(run: Run, experiment: Experiment, model: Any, console: Console) -> None:
    training = experiment.config.training
    checkpoints = Checkpoints(run, model, training)
    first_epoch = checkpoints.restore()
    if first_epoch >= training.epochs or checkpoints.best_epoch.exhausted:
        console.print(_say_why_done(checkpoints.best_epoch, training), soft_wrap=True)
        return
    run.start_training()
    try:
        with training_callbacks(run, experiment, checkpoints, console) as callbacks:
            experiment.fit(model, callbacks, first_epoch=first_epoch)
    except KeyboardInterrupt:
        done = checkpoints.best_epoch.epochs_done
        raise Interrupted(
            f"interrupted in epoch {done + 1} of {training.epochs}; {run.folder} has "
            f"{done or 'none'} of them. Run the same command again to resume"
        ) from None


def _say_why_done(best: BestEpoch, training: TrainingConfig) -> str:
    if best.epochs_done >= training.epochs:
        return f"all {best.epochs_done} epochs are done; more `epochs` extend the run"
    return (
        f"stopped after epoch {best.epochs_done}, {training.patience} after the best; "
        "a larger `patience` goes on"
    )


@functools.cache
def default_strategy(num_gpus: int) -> tf.distribute.Strategy:
    """The strategy for a machine with so many GPUs."""
    if num_gpus < 2:
        return tf.distribute.get_strategy()
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])
