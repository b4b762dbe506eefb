"""Training: from a configuration and a dataset directory to a run's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from rich.console import Console

from home_tf.backend import keras
from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError, Interrupted
from home_tf.files import PathLike, as_path
from home_tf.run import Run
from home_tf.training.callbacks import OnValidation, training_callbacks
from home_tf.training.checkpoints import Checkpoints
from home_tf.training.earlier_run import EarlierRun, started_from
from home_tf.training.experiment import Experiment
from home_tf.training.interruption import Interruption
from home_tf.training.service_watch import check_service
from home_tf.training.strategy import check_options, check_strategy, make_strategy
from home_tf.training.workers import Workers


def train(
    config: Config,
    data: DatasetDirectory | PathLike,
    out: PathLike,
    *,
    start_from: PathLike | None = None,
    new_statistics: bool = False,
    strategy: tf.distribute.Strategy | None = None,
    console: Console | None = None,
    on_validation: OnValidation | None = None,
) -> Run:
    """Trains a model, or resumes an interrupted training.

    Several processes train together if each makes the same call; only the chief writes.

    Args:
        config: The configuration.
        data: The dataset directory.
        out: The run's folder, or its URL, such as `s3://bucket/run`. If it holds a run
            of the same configuration, or one with fewer epochs, that run resumes from
            its last checkpoint.
        start_from: The folder of an earlier run to start from: its best weights and
            optimizer state. Known ids keep their embeddings, and new ones get new rows;
            normalisation and positive rates are those of the earlier run.
        new_statistics: Whether normalisation follows the new training rows instead.
        strategy: The `tf.distribute` strategy; by default that of `training.strategy`.
        console: Where progress is shown; by default nowhere.
        on_validation: Called with the score of each validation, the mean that selects
            the best one, or NaN if it is undefined; returns whether to stop the
            training. Several processes must return the same.

    Returns:
        The run, with its best checkpoint.

    Raises:
        HomeError: If the strategy is not supported, the data does not fit the
            configuration or has nothing to learn for a task, `out` holds a run of
            another configuration, of other data or of the other Keras, the weights of
            the earlier run do not fit the configuration, the run is already being
            trained, the training diverges, a checkpoint cannot be written, another
            process of the training has ended, or `training.data_service` cannot be
            reached or has lost rows. If the service
            ends during training, the process ends, with exit code 2 and one line.
        Interrupted: If Ctrl-C or SIGTERM interrupts the training; the run holds a
            checkpoint of the last step. If one of several processes is
            interrupted, all end within a few steps. For SIGTERM see `Interruption`.
    """
    # First, because several processes must connect before TensorFlow computes anything.
    strategy = (
        make_strategy(config.training.strategy)
        if strategy is None
        else check_strategy(strategy)
    )
    check_options(strategy, config.training)
    if config.training.data_service is not None:
        check_service(config.training.data_service)
    keras.utils.set_random_seed(config.training.seed)
    run = Run(as_path(out))
    with _open_data(config, data, run, start_from, new_statistics) as (found, earlier):
        experiment = Experiment.open(config, found)
        experiment.check_rows("train", "validation", needed_by="training")
        if earlier is None:  # it has learnt tasks that are rare in the new data
            experiment.check_tasks()
        workers = Workers(strategy)
        shown = console if console and workers.is_chief else Console(quiet=True)
        with workers.explain_gone():
            workers.check_same("the configuration and the data", experiment.fingerprint)
            with strategy.scope():
                model = experiment.make_model()
            checkpoints = Checkpoints(
                run, model, config.training, writes=workers.is_chief
            )
            with workers.hold(run, config, experiment.data) as writable:
                checkpoints.restore(lambda line: shown.print(line, soft_wrap=True))
                if earlier is not None and not checkpoints.saved_step:
                    checkpoints.start_from(earlier.checkpoint)
                _fit(
                    writable,
                    experiment,
                    model,
                    checkpoints,
                    workers,
                    shown,
                    on_validation,
                )
    return run


@contextmanager
def _open_data(
    config: Config,
    data: DatasetDirectory | PathLike,
    run: Run,
    start_from: PathLike | None,
    new_statistics: bool,
) -> Iterator[tuple[DatasetDirectory, EarlierRun | None]]:
    """Yields the data, and the run to start from, if there is one."""
    if start_from is None:
        if new_statistics:
            raise HomeError("`new_statistics` requires an earlier run to start from")
        origin = started_from(run)
        if origin is not None:
            raise HomeError(
                f"{run.folder}: started from the weights of {origin}. Name that run "
                "again to resume, or another folder"
            )
        yield DatasetDirectory.of(data), None
        return
    earlier = EarlierRun(start_from, new_statistics=new_statistics)
    earlier.check(config)
    with earlier.open_data(data, config, run) as found:
        yield found, earlier


def _fit(
    run: Run,
    experiment: Experiment,
    model: Any,
    checkpoints: Checkpoints,
    workers: Workers,
    console: Console,
    on_validation: OnValidation | None,
) -> None:
    workers.check_same("the checkpoints of the run", str(checkpoints.step))
    if checkpoints.step >= experiment.steps or checkpoints.best.exhausted:
        console.print(_say_why_done(checkpoints, experiment), soft_wrap=True)
        return
    rest = checkpoints.step % experiment.steps_per_epoch
    if rest and experiment.config.training.data_service is not None:
        console.print(
            "resuming within an epoch: `training.data_service` reads as many rows as "
            "it lacks, in a new order of all",
            soft_wrap=True,
        )
    run.start_training()
    try:
        with (
            Interruption() as interruption,
            training_callbacks(
                run,
                experiment,
                checkpoints,
                workers,
                interruption,
                console,
                on_validation,
            ) as callbacks,
        ):
            experiment.fit(model, callbacks, first_step=checkpoints.step)
    except KeyboardInterrupt:
        raise Interrupted(_say_how_to_resume(checkpoints, experiment)) from None


def _say_why_done(checkpoints: Checkpoints, experiment: Experiment) -> str:
    training = experiment.config.training
    if checkpoints.step >= experiment.steps:
        return f"all {training.epochs} epochs are done; more `epochs` extend the run"
    return (
        f"stopped early after step {checkpoints.step:,} (`patience: "
        f"{training.patience}`); a larger `patience` resumes the run"
    )


def _say_how_to_resume(checkpoints: Checkpoints, experiment: Experiment) -> str:
    folder = checkpoints.run.folder
    if not checkpoints.saved_step:
        return f"interrupted; {folder} has nothing yet. Run the same command again"
    per_epoch = experiment.steps_per_epoch
    epochs_done, last = divmod(checkpoints.saved_step - 1, per_epoch)
    return (
        f"interrupted; {folder} has the training up to step {last + 1:,} of "
        f"{per_epoch:,} in epoch {epochs_done + 1} of "
        f"{experiment.config.training.epochs}. Run the same command again to resume"
    )
