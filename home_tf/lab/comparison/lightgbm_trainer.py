"""One LightGBM model per task: the alternative to a network."""

import time
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from home_tf.config import Config
from home_tf.features import CategoricalFeature, Preprocessor
from home_tf.features.feature_embedding import NUMERIC_FEATURES
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.target_statistics import TargetStatistics
from home_tf.lab.comparison.trainer import (
    Probabilities,
    TrainingResult,
    validation_score,
)

Array = npt.NDArray[Any]

# LightGBM over-fits categories with many values, so these become rates of the label.
MOST_CATEGORIES = 256
MOST_TREES = 500
PATIENCE_TREES = 30


class LightGBMTrainer:
    """Trains a LightGBM model for each task on the features that networks read.

    Normalised numbers stay as they are, and buckets are numbers. Of a categorical
    feature small vocabularies are categories; of large ones the models read the rate of
    their own label for each id (`TargetStatistics`). Of a feature with several ids a
    row they read the first id in the same way, the number of ids, and, where the
    network attends with another feature, how often that feature's id is among them.

    Rows without a task's label are left out of its model, and the log loss on the
    validation rows picks the number of trees. Of a regression task it is the squared
    error: of the logarithm with the loss `log1p`, else of the number.

    Args:
        config: The configuration.
        preprocessor: Of the fold.
        train: The training rows.
        validation: The rows that pick the number of trees.
        metric: `auc` or `gauc`, for the score.
        parameters: Of LightGBM, such as `num_leaves`.
        threads: Number of threads.
    """

    def __init__(
        self,
        config: Config,
        preprocessor: Preprocessor,
        train: SplitData,
        validation: SplitData,
        metric: str,
        *,
        parameters: dict[str, Any],
        threads: int = 1,
    ) -> None:
        self._config, self._metric = config, metric
        self._train, self._validation = train, validation
        self._sizes = {
            name: preprocessor.tables[feature.table].size
            for name, feature in preprocessor.embedded_features.items()
        }
        self._parameters = {
            "num_threads": threads,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
            **parameters,
        }
        self._models: dict[str, Any] = {}
        self._rates: dict[str, float] = {}
        self._statistics: dict[str, dict[str, TargetStatistics]] = {}

    def fit(self, seed: int) -> TrainingResult:
        """Trains a model for each task."""
        start = time.perf_counter()
        for task in self._config.tasks:
            self._models[task] = self._fit_task(task, seed)
        seconds = time.perf_counter() - start
        trees = [m.best_iteration for m in self._models.values() if m is not None]
        score = validation_score(
            self._config,
            self._validation.labels,
            self.predict(self._validation),
            self._validation.groups,
            self._metric,
        )
        return TrainingResult(
            score=score,
            best_epoch=float(np.mean(trees)) if trees else 0.0,
            history=[],
            examples_per_second=self._train.rows / seconds,
            params=sum(map(_count_leaves, self._models.values())),
        )

    def predict(self, split: SplitData) -> Probabilities:
        """Predicts probabilities with the last fit."""
        shared, ids = self._shared_columns(split)
        found = {}
        for task, model in self._models.items():
            rates = [self._statistics[task][name].of(ids[name]) for name in ids]
            if model is None:
                found[task] = np.full(split.rows, self._rates[task])
                continue
            predicted = model.predict(
                np.column_stack([*shared.values(), *rates]),
                num_iteration=model.best_iteration,
            )
            found[task] = np.expm1(predicted) if self._of_log(task) else predicted
        return found

    def measure_experts(self, split: SplitData) -> None:
        """Returns nothing, because there are no experts."""

    def _of_log(self, task: str) -> bool:
        return self._config.tasks[task].loss == "log1p"

    def _targets(self, split: SplitData, task: str) -> Array:
        """The targets that a model learns from a task's labels, `(rows,)`."""
        labels = split.labels[task]
        return np.log1p(labels) if self._of_log(task) else labels

    def _fit_task(self, task: str, seed: int) -> Any:
        shared, ids = self._shared_columns(self._train)
        labels, known = self._targets(self._train, task), self._train.is_known(task)
        found = self._train.labels[task][known]
        self._rates[task] = float(found.mean()) if known.any() else 0.0
        self._statistics[task] = {
            name: TargetStatistics(values[known], labels[known])
            for name, values in ids.items()
        }
        if not len(found) or (found == found[0]).all():
            return None  # nothing to learn: the rate itself is predicted
        rates = [s.of_training_rows(seed) for s in self._statistics[task].values()]
        table = np.column_stack([*(x[known] for x in shared.values()), *rates])
        categories = [i for i, name in enumerate(shared) if name in self._small()]
        data = lightgbm.Dataset(
            table,
            labels[known],
            weight=_rows(self._train.weights.get(task), known),
            categorical_feature=categories,
            free_raw_data=True,
            params=self._parameters,
        )
        numeric = task in self._train.regression
        objective = "regression" if numeric else "binary"
        return lightgbm.train(
            {**self._parameters, "objective": objective, "seed": seed},
            data,
            num_boost_round=MOST_TREES,
            valid_sets=[self._validation_set(task, data)],
            callbacks=[lightgbm.early_stopping(PATIENCE_TREES, verbose=False)],
        )

    def _validation_set(self, task: str, data: Any) -> Any:
        shared, ids = self._shared_columns(self._validation)
        labels = self._targets(self._validation, task)
        known = self._validation.is_known(task)
        rates = [self._statistics[task][name].of(ids[name][known]) for name in ids]
        return data.create_valid(
            np.column_stack([*(x[known] for x in shared.values()), *rates]),
            labels[known],
            weight=_rows(self._validation.weights.get(task), known),
        )

    def _small(self) -> set[str]:
        return {
            name
            for name, size in self._sizes.items()
            if size <= MOST_CATEGORIES
            and isinstance(self._config.features[name], CategoricalFeature)
        }

    def _shared_columns(
        self, split: SplitData
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Makes the columns that all tasks read, and ids that become label rates."""
        shared: dict[str, Array] = {}
        ids: dict[str, Array] = {}
        for name, values in split.features.items():
            if name == NUMERIC_FEATURES:
                shared.update({f"{name}:{i}": x for i, x in enumerate(values.T)})
                continue
            feature = self._config.features[name]
            first = values if values.ndim == 1 else values[:, 0]
            large = self._sizes[name] > MOST_CATEGORIES
            is_categorical = isinstance(feature, CategoricalFeature)
            (ids if large and is_categorical else shared)[name] = first
            if values.ndim == 2:
                shared[f"{name}:number"] = (values > 0).sum(axis=1)
                query = getattr(feature, "attend_with", None)
                if query is not None:
                    same = values == split.features[query][:, None]
                    shared[f"{name}:{query}"] = (same & (values > 0)).sum(axis=1)
        return shared, ids


def _rows(values: Array | None, rows: npt.NDArray[np.bool_]) -> Array | None:
    return None if values is None else values[rows]


def _count_leaves(model: Any) -> int:
    if model is None:
        return 1
    trees = model.dump_model(num_iteration=model.best_iteration)["tree_info"]
    return sum(tree["num_leaves"] for tree in trees)
