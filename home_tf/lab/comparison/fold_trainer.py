"""Trainers on one fold, whose data is read only once."""

from typing import Any

from home_tf.config import Config, override_config
from home_tf.data import DatasetDirectory
from home_tf.features import Preprocessor
from home_tf.lab.comparison.compared_model import LIGHTGBM, ComparedModel
from home_tf.lab.comparison.fold import Fold
from home_tf.lab.comparison.lightgbm_trainer import LightGBMTrainer
from home_tf.lab.comparison.network_trainer import NetworkTrainer
from home_tf.lab.comparison.plan import Plan
from home_tf.lab.comparison.single_feature import single_feature_auc
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.trainer import Trainer
from home_tf.provenance import collect_provenance


class FoldTrainers:
    """Makes trainers that share a fold's rows in memory.

    Args:
        plan: The comparison.
        config: The configuration, with the features that are read.
        fold: The fold. Its training and validation rows are read, no others.
        threads: Number of threads of a trainer.
    """

    def __init__(self, plan: Plan, config: Config, fold: Fold, threads: int) -> None:
        self._plan, self._config, self._threads = plan, config, threads
        self._data = DatasetDirectory(fold.folder)
        self.preprocessor = Preprocessor(config.features, self._data)
        self.provenance = {
            **collect_provenance(),
            "data_sha256": self._data.fingerprint,
        }
        self._train = self.load("train")
        self._validation = self.load("validation")

    def load(self, split: str) -> SplitData:
        """Reads a split of the fold."""
        return SplitData.load(self._config, self._data, split, self.preprocessor)

    def single_feature_auc(self, test: SplitData) -> dict[str, float | None]:
        """The AUC of ranking the rows of the test split by a single feature."""
        return single_feature_auc(self._train, self._validation, test)

    def make(
        self, model: ComparedModel, config: Config, parameters: dict[str, Any]
    ) -> Trainer:
        """A trainer of a model.

        Args:
            model: The model.
            config: Its configuration; for LightGBM the features and tasks count.
            parameters: The tuned parameters: keys of the configuration, or LightGBM's
                own.

        Returns:
            The trainer.
        """
        data = (self.preprocessor, self._train, self._validation, self._plan.metric)
        if model.architecture == LIGHTGBM:
            return LightGBMTrainer(
                config, *data, parameters=parameters, threads=self._threads
            )
        return NetworkTrainer(override_config(config, parameters), *data)
