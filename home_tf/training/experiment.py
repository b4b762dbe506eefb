"""From a configuration and its data to datasets, a network and a model."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from home_tf.backend import IS_LEGACY, keras
from home_tf.backend.variables import find_not_finite, named_variables
from home_tf.config import Config
from home_tf.data import DatasetDirectory, Task
from home_tf.data.column_errors import find_column_error
from home_tf.errors import HomeError
from home_tf.evaluation import Calibrator, fit_calibrators
from home_tf.features import FeatureEmbedding, Preprocessor
from home_tf.files import AnyPath, PathLike, explain_no_answer
from home_tf.layers import TaskTowers
from home_tf.loss_weighting import GradNorm
from home_tf.losses import (
    MaskedBinaryCrossentropy,
    MaskedLoss,
    MaskedRegressionLoss,
)
from home_tf.models import RankingNetwork
from home_tf.optimizers import Adam, LazyAdam
from home_tf.training.check_tasks import check_tasks
from home_tf.training.checkpoint import Checkpoint, shorten
from home_tf.training.epoch_steps import smallest_batch, steps_per_epoch
from home_tf.training.predictions import Predictions, Predictor
from home_tf.training.ranking_dataset import ranking_dataset
from home_tf.training.service_watch import watch_service
from home_tf.training.strategy import distribute

# What TensorFlow raises for broken, extra or missing records.
_BROKEN = (
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
)


@dataclass(frozen=True)
class Experiment:
    """Builds what a configuration describes, for a dataset directory.

    This is the only place that turns a configuration into datasets, a network and a
    model.

    Args:
        config: The configuration.
        preprocessor: The preprocessor of its features, which has the dataset directory.

    Examples:
        >>> experiment = Experiment.open(load_config("config.yaml"), "records")
        >>> network = experiment.make_network()
        >>> test = experiment.read("test")
    """

    config: Config
    preprocessor: Preprocessor

    @classmethod
    def open(cls, config: Config, data: DatasetDirectory | PathLike) -> "Experiment":
        """Opens the experiment of a configuration on a dataset directory, or its path.

        Raises:
            HomeError: If the features do not fit the data.
        """
        return cls(config, Preprocessor(config.features, DatasetDirectory.of(data)))

    @property
    def data(self) -> DatasetDirectory:
        """The dataset directory."""
        return self.preprocessor.data

    @property
    def fingerprint(self) -> str:
        """A text that identifies the configuration and the data."""
        return f"{self.data.fingerprint} {self.config}"

    def check_rows(self, *splits: str, needed_by: str) -> None:
        """Raises a `HomeError` if a split has no rows.

        Args:
            *splits: Names of the splits.
            needed_by: What reads them, for the message.
        """
        found = self.data.schema.splits
        for split in splits:
            if split not in found or not found[split].rows:
                raise HomeError(
                    f"{self.data}: no rows in the split {split!r}, which {needed_by} "
                    "needs. Prepare the data again, or choose other data"
                )

    def check_tasks(self) -> None:
        """Raises a `HomeError` if the training rows have no positives of a task."""
        with self.explain_broken_records("train"):
            check_tasks(self.data, self.config.tasks)

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch."""
        rows = self.data.split("train").rows
        return steps_per_epoch(rows, self.config.training.batch_size)

    def read(self, split: str, batch_size: int | None = None) -> tf.data.Dataset:
        """Reads a split as batches `(features, labels, sample_weights, groups)`.

        Args:
            split: Name of the split.
            batch_size: Rows per batch; by default as in training.

        Raises:
            HomeError: If the data lacks a column, or a file is missing or truncated.
        """
        return ranking_dataset(
            self.data,
            split,
            self.preprocessor,
            self.config.tasks,
            batch_size=batch_size or self.config.training.batch_size,
            group_by=self.config.evaluation.group_by,
        )

    @property
    def steps(self) -> int:
        """Steps of the whole training, unless it stops early."""
        return self.steps_per_epoch * self.config.training.epochs

    def read_training(
        self,
        first_step: int = 0,
        input_context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Reads the training rows as shuffled batches, `(features, labels, weights)`.

        `steps_per_epoch` of them are an epoch, and `steps` the whole training. With
        `training.data_service` the order depends on timing, and the rest of a resumed
        epoch has the right number of rows, but in a new order: see
        `DatasetDirectory.read`.

        Args:
            first_step: The step to begin with, counted from 0 over all epochs.
            input_context: From `tf.distribute`; see `DatasetDirectory.read`.

        Raises:
            HomeError: As in `read`, or if the data service cannot be reached.
        """
        training = self.config.training
        rows = self.data.split("train").rows
        first_epoch, first_step = divmod(first_step, self.steps_per_epoch)
        return ranking_dataset(
            self.data,
            "train",
            self.preprocessor,
            self.config.tasks,
            batch_size=training.batch_size,
            smallest_batch=smallest_batch(rows, training.batch_size),
            shuffle_rows=training.shuffle_rows,
            seed=training.seed,
            epochs=training.epochs,
            first_epoch=first_epoch,
            first_step=first_step,
            input_context=input_context,
            service=training.data_service,
        )

    @contextmanager
    def explain_broken_records(self, *splits: str) -> Iterator[None]:
        """Turns TensorFlow's errors about broken records into one line.

        Args:
            *splits: The splits that are being read.

        Raises:
            HomeError: Names the file and the record, or the column and the problem with
                its values.
            RemoteFileError: If the storage of the data does not answer.
        """
        try:
            with explain_no_answer(self.data.path):
                yield
        except _BROKEN as error:
            for split in splits:
                found = self.data.find_corrupt_record(split)
                if found is not None:
                    raise HomeError(found) from None
            reason = find_column_error(str(error))
            if reason is None:
                raise
            raise HomeError(f"{self.data}: {reason}. Prepare the data again") from None

    def make_network(self) -> RankingNetwork:
        """Makes the network and creates its weights.

        Returns:
            The network, from the preprocessor's outputs to logits by task.

        Raises:
            HomeError: If the arguments do not fit together, such as a width that the
                number of LoRAs does not divide.
        """
        model, dtype = self.config.model, self.config.training.mixed_precision
        rates = self._positive_rates() if model.prior_initialization else None
        try:
            representations = self._make_representations()
            features = FeatureEmbedding(
                self.preprocessor.tables,
                self.preprocessor.embedded_features,
                num_numeric=len(self.preprocessor.numeric_features),
                embedding_l2=model.embedding_l2,
                dtype=dtype,
                name="features",
            )
            towers = TaskTowers(
                representations.tasks,
                hidden_units=model.tower_units,
                prior_rates=rates,
                dtype=dtype,
                name="towers",
            )
            network = RankingNetwork(
                features, representations, towers, dropout=model.dropout, dtype=dtype
            )
            network.build(None)
        except HomeError:
            raise
        except ValueError as error:
            raise HomeError(str(error).splitlines()[0]) from None
        return network

    def _make_representations(self) -> Any:
        architecture = self.config.model.architecture
        return architecture.make_layer(
            self.config.task_groups,
            dtype=self.config.training.mixed_precision,
            name=architecture.type,
        )

    def _positive_rates(self) -> dict[str, float]:
        """Returns each task's positive rate in the training rows."""
        return {
            name: self._positive_rate(name, task)
            for name, task in self.config.tasks.items()
        }

    def _positive_rate(self, name: str, task: Task) -> float:
        if task.is_regression:
            return 0.5  # a bias of 0, so that the tower predicts the mean
        statistics = self.data.statistics(
            task.label or name,
            needed_by=f"`model.prior_initialization` of task `{name}`",
        )
        return statistics.positive_rate

    def make_losses(self) -> dict[str, MaskedLoss]:
        """Makes the loss of each task; the training rows scale regression losses."""
        return {n: self._make_loss(n, t) for n, t in self.config.tasks.items()}

    def make_number_losses(self) -> dict[str, MaskedLoss]:
        """Makes the losses of the regression tasks."""
        losses = self.make_losses()
        return {name: losses[name] for name in self.config.regression_tasks}

    def _make_loss(self, name: str, task: Task) -> MaskedLoss:
        if not task.is_regression:
            return MaskedBinaryCrossentropy(name=name)
        found = self.data.statistics(
            task.label or name, needed_by=f"the loss of task `{name}`"
        )
        kind = task.loss or "squared"
        if kind == "weighted_logistic":
            return MaskedRegressionLoss(kind, scale=found.mean or 1.0, name=name)
        of_logarithms = kind == "log1p"
        mean = found.log1p_mean if of_logarithms else found.mean
        variance = found.log1p_variance if of_logarithms else found.variance
        scale = math.sqrt(variance) or 1.0
        return MaskedRegressionLoss(kind, mean=mean, scale=scale, name=name)

    def load_network(self, folder: AnyPath) -> RankingNetwork:
        """Makes the network with the weights of a checkpoint.

        Raises:
            HomeError: If there is no checkpoint, or it does not fit the data or has
                weights that are not finite.
        """
        network = self.make_network()
        weights = named_variables(network)
        # The rest of a checkpoint is for resuming the training.
        if not Checkpoint(network=weights).restore(folder):
            raise HomeError(
                f"{folder}: no checkpoint. Run `home-tf train` to its first validation "
                "first"
            )
        wrong = find_not_finite(weights)
        if wrong:
            raise HomeError(
                f"{folder}: has NaN or infinity in {len(wrong)} of {len(weights)} "
                f"weights ({shorten(wrong)}). Train another run, with a smaller "
                "`training.learning_rate`"
            )
        return network

    def make_model(self) -> Any:
        """Makes and compiles the ranking model.

        Returns:
            A `home_tf.tfrs.RankingModel` or a `home_tf.models.RankingModel`, depending
            on `training.framework`, with its weights created.

        Raises:
            HomeError: If the framework needs another Keras than the active one, or
                tasks have loss weights that would be learnt.
        """
        training, tasks = self.config.training, self.config.tasks
        model_class = _model_class(training.framework)
        optimizer = self._make_optimizer()
        alpha = training.gradnorm_alpha
        model = model_class(
            self.make_network(),
            list(tasks),
            loss_weights={name: task.loss_weight for name, task in tasks.items()},
            loss_weighting=training.loss_weighting
            if alpha is None
            else GradNorm(alpha=alpha),
            task_losses=self.make_losses(),
            dtype=training.mixed_precision,
        )
        model.compile(
            optimizer=optimizer,
            jit_compile=training.jit_compile,
            steps_per_execution=training.steps_per_execution,
        )
        # Otherwise legacy Keras would trace the first step twice to create the
        # variables.
        model.optimizer.build(model.trainable_variables)
        return model

    def _make_optimizer(self) -> Any:
        training = self.config.training
        rate: Any = training.learning_rate
        if training.learning_rate_decay == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=self.steps)
        lazy = training.optimizer == "lazy_adam"
        optimizer = LazyAdam if lazy else Adam
        return optimizer(rate, global_clipnorm=training.clip_norm)

    def fit(self, model: Any, callbacks: Sequence[Any], *, first_step: int) -> None:
        """Trains a model to the last step.

        To Keras, all epochs are one, so a training can resume in the middle of an
        epoch. The callbacks do what is due at the end of each epoch.

        Args:
            model: What `make_model` returned.
            callbacks: Keras callbacks.
            first_step: The step to begin with, counted from 0 over all epochs.

        Raises:
            HomeError: If the data lacks a column, a record is broken, or the data
                service cannot be reached or has lost rows. If the service ends during
                training, so does the process: see `watch_service`.
        """
        read = functools.partial(self.read_training, first_step)
        dataset = distribute(model, read)
        training = self.config.training
        with (
            self.explain_broken_records("train", "validation"),
            watch_service(training) as watches,
        ):
            model.fit(
                dataset,
                steps_per_epoch=self.steps - first_step,
                callbacks=[*watches, *callbacks],
                shuffle=False,
                verbose=0,
            )

    def predict(self, network: Any, *splits: str) -> list[Predictions]:
        """Predicts splits with a network.

        Args:
            network: From features to logits `{task: (batch, 1)}`.
            *splits: Names of the splits.

        Raises:
            HomeError: If there is no such split, or a record is broken.
        """
        predictor = Predictor(network, self.make_losses())
        found = []
        for split in splits:
            with self.explain_broken_records(split):
                found.append(predictor.predict(self.read(split)))
        return found

    def predict_calibrated(self, network: Any, *splits: str) -> list[Predictions]:
        """Predicts splits with a network, calibrated as in an export.

        Args:
            network: From features to logits `{task: (batch, 1)}`.
            *splits: Names of the splits.

        Raises:
            HomeError: As in `predict`, or if scikit-learn is missing.
        """
        if self.config.serving.calibration == "none":
            return self.predict(network, *splits)
        names = list(dict.fromkeys(["validation", *splits]))
        found = dict(zip(names, self.predict(network, *names), strict=True))
        calibrators = self._fit_calibrators(found["validation"])
        return [found[split].calibrate(calibrators) for split in splits]

    def fit_calibrators(self, network: Any) -> dict[str, Calibrator]:
        """Fits the calibrators of `serving.calibration` on the validation rows.

        Args:
            network: From features to logits `{task: (batch, 1)}`.

        Returns:
            `{task: Calibrator}`; empty if the configuration has no calibration.

        Raises:
            HomeError: As in `predict_calibrated`.
        """
        if self.config.serving.calibration == "none":
            return {}
        return self._fit_calibrators(*self.predict(network, "validation"))

    def _fit_calibrators(self, validation: Predictions) -> dict[str, Calibrator]:
        self.check_rows("validation", needed_by="`serving.calibration`")
        method = self.config.serving.calibration
        assert method != "none"  # checked by the callers
        binary = {
            task: labels
            for task, labels in validation.labels.items()
            if task not in self.config.regression_tasks
        }
        return fit_calibrators(binary, validation.probabilities, method)


def _model_class(framework: str) -> Callable[..., Any]:
    if framework == "keras":
        from home_tf.models import RankingModel

        return RankingModel
    if not IS_LEGACY:
        raise HomeError(
            "`training.framework: tfrs` needs legacy Keras: set TF_USE_LEGACY_KERAS=1 "
            "in the environment, or use `training.framework: keras`"
        )
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    return TFRSRankingModel
