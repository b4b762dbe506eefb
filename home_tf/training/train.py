"""Training, from a configuration and a dataset directory to a run's folder."""

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from home_tf.backend import keras
from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.errors import Interrupted
from home_tf.run import Run
from home_tf.training.callbacks import training_callbacks
from home_tf.training.checkpoints import Checkpoints
from home_tf.training.experiment import Experiment
from home_tf.training.interruption import Interruption


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
            with fewer epochs, that run resumes from its last checkpoint.
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
        Interrupted: If Ctrl-C or SIGTERM interrupts the training; the run holds a
            checkpoint of the last step. `Interruption` says what SIGTERM does.
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
    checkpoints = Checkpoints(run, model, experiment.config.training)
    checkpoints.restore(lambda line: console.print(line, soft_wrap=True))
    if checkpoints.step >= experiment.steps or checkpoints.best.exhausted:
        console.print(_say_why_done(checkpoints, experiment), soft_wrap=True)
        return
    run.start_training()
    try:
        with (
            Interruption() as interruption,
            training_callbacks(
                run, experiment, checkpoints, interruption, console
            ) as callbacks,
        ):
            experiment.fit(model, callbacks, first_step=checkpoints.step)
    except KeyboardInterrupt:
        raise Interrupted(_say_how_to_resume(run, checkpoints, experiment)) from None


def _say_why_done(checkpoints: Checkpoints, experiment: Experiment) -> str:
    training = experiment.config.training
    if checkpoints.step >= experiment.steps:
        return f"all {training.epochs} epochs are done; more `epochs` extend the run"
    return (
        f"stopped early after step {checkpoints.step:,} (`patience: "
        f"{training.patience}`); a larger `patience` resumes the run"
    )


def _say_how_to_resume(
    run: Run, checkpoints: Checkpoints, experiment: Experiment
) -> str:
    if not checkpoints.saved_step:
        return f"interrupted; {run.folder} has nothing yet. Run the same command again"
    per_epoch = experiment.steps_per_epoch
    epochs_done, last = divmod(checkpoints.saved_step - 1, per_epoch)
    return (
        f"interrupted; {run.folder} has the training up to step {last + 1:,} of "
        f"{per_epoch:,} in epoch {epochs_done + 1} of "
        f"{experiment.config.training.epochs}. Run the same command again to resume"
    )


@functools.cache
def default_strategy(num_gpus: int) -> tf.distribute.Strategy:
    """The strategy for a machine with so many GPUs."""
    if num_gpus < 2:
        return tf.distribute.get_strategy()
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])
