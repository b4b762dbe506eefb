"""Trains a network of a configuration several times with one traced graph."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from home_tf.backend import keras
from home_tf.backend.variables import named_random_states
from home_tf.config import Config
from home_tf.diagnosis import Figures, Inspector
from home_tf.features import Preprocessor
from home_tf.lab.comparison.budget import count_weights
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.trainer import (
    Probabilities,
    TrainingResult,
    validation_score,
)
from home_tf.training.best_validation import BestValidation
from home_tf.training.callbacks import Speed
from home_tf.training.epoch_steps import steps_per_epoch
from home_tf.training.experiment import Experiment
from home_tf.training.predictions import Predictor
from home_tf.training.reset_embeddings import reset_embeddings


class NetworkTrainer:
    """Trains like `home_tf.training.train`, but from memory and without a run folder.

    Tracing the graph of a network takes about as long as an epoch on KuaiRand-Pure, so
    a model is traced once, and gets fresh weights for each seed. No state carries over
    between fits: a result does not depend on the trainings before it.

    Args:
        config: The configuration; `training.seed` is not used.
        preprocessor: Of the fold.
        train: The training rows.
        validation: The rows that pick the best epoch.
        metric: `auc` or `gauc`, whose mean over the monitored tasks picks it.
    """

    def __init__(
        self,
        config: Config,
        preprocessor: Preprocessor,
        train: SplitData,
        validation: SplitData,
        metric: str,
    ) -> None:
        self._config = config
        self._train, self._metric = train, metric
        self._validation = validation
        self._steps = steps_per_epoch(train.rows, config.training.batch_size)
        self._experiment = Experiment(config, preprocessor)
        self._model = self._experiment.make_model()
        losses = self._experiment.make_losses()
        self._predictor = Predictor(self._model.network, losses)
        self._inspector = Inspector(self._model.network)
        # Beside the network: moments, iterations and learning rate, and the weights of
        # losses that are learnt.
        self._states = [
            *self._model.optimizer.variables,
            *self._model.loss_weighting.weights,
        ]
        self._states_at_start = [np.array(state) for state in self._states]

    def fit(
        self, seed: int, *, after_epoch: Callable[[], None] | None = None
    ) -> TrainingResult:
        """Trains from fresh weights until early stopping.

        Args:
            seed: Seed of the weights and the row order.
            after_epoch: Called after each epoch, with the epoch's weights in place.

        Returns:
            The result; the best epoch's weights are in place.
        """
        training = self._config.training
        self._start_afresh(seed)
        speed = Speed(training.batch_size)
        history: list[dict[str, float]] = []
        best, best_weights = BestValidation(training.patience), self._weights()
        for epoch, first, end in self._parts():
            if training.reset_embeddings and epoch and first == 0:
                reset_embeddings(self._model, seed=seed, epoch=epoch)
            loss = self._train_steps(seed, epoch, first, end, speed)
            done = round(epoch + end / self._steps, 3)
            history.append({"epoch": done, "loss": loss, "score": self._score()})
            if end == self._steps and after_epoch is not None:
                after_epoch()
            if best.add(history[-1]["score"]):
                best_weights = self._weights()
            if best.exhausted:
                break
        self._set_weights(best_weights)
        return TrainingResult(
            score=best.score,
            best_epoch=history[best.number - 1]["epoch"],
            history=history,
            examples_per_second=speed.examples_per_second,
            params=count_weights(self._model.network),
        )

    def _parts(self) -> Iterator[tuple[int, int, int]]:
        """The epoch, the first step and the last from one validation to the next."""
        every = self._config.training.validate_every or self._steps
        for epoch in range(self._config.training.epochs):
            for first in range(0, self._steps, every):
                yield epoch, first, min(first + every, self._steps)

    def _train_steps(
        self, seed: int, epoch: int, first: int, end: int, speed: Speed
    ) -> float:
        """Trains some steps of an epoch; returns their mean loss."""
        # The order depends only on the seed and the epoch, so all networks see the
        # same.
        order = np.random.default_rng([seed, epoch]).permutation(self._train.rows)
        batch_size = self._config.training.batch_size
        logs = self._model.fit(
            self._train.batches(
                batch_size, order[first * batch_size : end * batch_size]
            ),
            epochs=1,
            steps_per_epoch=end - first,
            callbacks=[speed],
            shuffle=False,
            verbose=0,
        ).history
        return float(logs["loss"][-1])

    def _score(self) -> float:
        return validation_score(
            self._config,
            self._validation.labels,
            self.predict(self._validation),
            self._validation.groups,
            self._metric,
        )

    def predict(self, split: SplitData) -> Probabilities:
        """Predicts probabilities with the best epoch of the last fit."""
        dataset = split.batches(self._config.training.batch_size * 4)
        return self._predictor.predict(dataset).probabilities

    def measure_experts(self, split: SplitData) -> dict[str, Any]:
        """Computes the figures of the experts with the current weights on a split."""
        figures = Figures()
        for features, *_ in split.batches(self._config.training.batch_size * 4):
            figures.add(self._inspector.read(features))
        return figures.result()

    def _start_afresh(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        ours, fresh = map(
            _variables_of, (self._model.network, self._experiment.make_network())
        )
        for variable, new in zip(ours, fresh, strict=True):
            variable.assign(new)
        for state, start in zip(self._states, self._states_at_start, strict=True):
            state.assign(start)

    def _weights(self) -> list[Any]:
        return [np.array(weight) for weight in self._model.network.weights]

    def _set_weights(self, values: list[Any]) -> None:
        self._model.network.set_weights(values)


def _variables_of(network: Any) -> list[Any]:
    """The weights, and the states of the dropout generators."""
    return [*network.weights, *named_random_states(network).values()]
