"""Training, from a configuration and a dataset directory to a run's folder."""

import functools
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from home_tf.backend import keras
from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.run import Run
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
    keras.utils.set_random_seed(config.training.seed)
    experiment = Experiment.open(config, data)
    experiment.check_rows("train", "validation", needed_by="training")
    strategy = strategy or default_strategy(len(tf.config.list_logical_devices("GPU")))
    with strategy.scope():
        model = experiment.make_model()
    run = Run(Path(out))
    run.start(config, experiment.data.path)
    checkpoints = Checkpoints(run, model, config.training.patience)
    first_epoch = checkpoints.restore()
    if first_epoch < config.training.epochs and not checkpoints.best_epoch.exhausted:
        run.start_training()
        with training_callbacks(run, experiment, checkpoints, console) as callbacks:
            experiment.fit(model, callbacks, first_epoch=first_epoch)
    return run


@functools.cache
def default_strategy(num_gpus: int) -> tf.distribute.Strategy:
    """The strategy for a machine with so many GPUs."""
    if num_gpus < 2:
        return tf.distribute.get_strategy()
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])
