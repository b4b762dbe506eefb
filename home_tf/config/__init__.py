"""The YAML configuration: sections derived from constructors, read into objects.

`peek_framework` needs neither TensorFlow nor Keras. The other names are loaded on first
use and import both, because the constructors of the layers do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.config.read_yaml import peek_framework as peek_framework
    from home_tf.config.read_yaml import read_yaml as read_yaml

if TYPE_CHECKING:
    from home_tf.config.architecture import ARCHITECTURES as ARCHITECTURES
    from home_tf.config.architecture import Architecture as Architecture
    from home_tf.config.candidates_config import CandidatesConfig as CandidatesConfig
    from home_tf.config.column_config import ColumnConfig as ColumnConfig
    from home_tf.config.config import Config as Config
    from home_tf.config.data_config import DataConfig as DataConfig
    from home_tf.config.evaluation_config import EvaluationConfig as EvaluationConfig
    from home_tf.config.files_config import FilesConfig as FilesConfig
    from home_tf.config.history_config import HistoryConfig as HistoryConfig
    from home_tf.config.history_feature import HistoryFeature as HistoryFeature
    from home_tf.config.history_feature import find_history as find_history
    from home_tf.config.history_feature import history_features as history_features
    from home_tf.config.history_list_config import (
        HistoryListConfig as HistoryListConfig,
    )
    from home_tf.config.load import differing_keys as differing_keys
    from home_tf.config.load import dump_config as dump_config
    from home_tf.config.load import load_config as load_config
    from home_tf.config.load import make_config as make_config
    from home_tf.config.load import override_config as override_config
    from home_tf.config.model_config import ModelConfig as ModelConfig
    from home_tf.config.score_config import ScoreConfig as ScoreConfig
    from home_tf.config.serving_config import Calibration as Calibration
    from home_tf.config.serving_config import ServingConfig as ServingConfig
    from home_tf.config.split_config import SplitConfig as SplitConfig
    from home_tf.config.table_config import TableConfig as TableConfig
    from home_tf.config.training_config import TrainingConfig as TrainingConfig

_MODULES = {
    "ARCHITECTURES": "architecture",
    "Architecture": "architecture",
    "Calibration": "serving_config",
    "CandidatesConfig": "candidates_config",
    "ColumnConfig": "column_config",
    "Config": "config",
    "DataConfig": "data_config",
    "EvaluationConfig": "evaluation_config",
    "FilesConfig": "files_config",
    "HistoryConfig": "history_config",
    "HistoryListConfig": "history_list_config",
    "ModelConfig": "model_config",
    "ScoreConfig": "score_config",
    "ServingConfig": "serving_config",
    "SplitConfig": "split_config",
    "TableConfig": "table_config",
    "TrainingConfig": "training_config",
    **dict.fromkeys(
        ("HistoryFeature", "find_history", "history_features"), "history_feature"
    ),
    **dict.fromkeys(
        (
            "differing_keys",
            "dump_config",
            "load_config",
            "make_config",
            "override_config",
        ),
        "load",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra("pipeline"):
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
