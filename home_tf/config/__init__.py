"""The YAML configuration: one schema, read into checked dataclasses."""

from home_tf.config.load import dump_config as dump_config
from home_tf.config.load import load_config as load_config
from home_tf.config.load import override_config as override_config
from home_tf.config.schema import AdaTTConfig as AdaTTConfig
from home_tf.config.schema import CategoricalFeature as CategoricalFeature
from home_tf.config.schema import CGCConfig as CGCConfig
from home_tf.config.schema import Config as Config
from home_tf.config.schema import EvaluationConfig as EvaluationConfig
from home_tf.config.schema import HoMEConfig as HoMEConfig
from home_tf.config.schema import MMoEConfig as MMoEConfig
from home_tf.config.schema import ModelConfig as ModelConfig
from home_tf.config.schema import NumericFeature as NumericFeature
from home_tf.config.schema import PLEConfig as PLEConfig
from home_tf.config.schema import ScoreConfig as ScoreConfig
from home_tf.config.schema import ServingConfig as ServingConfig
from home_tf.config.schema import SharedBottomConfig as SharedBottomConfig
from home_tf.config.schema import SingleTaskConfig as SingleTaskConfig
from home_tf.config.schema import Task as Task
from home_tf.config.schema import TrainingConfig as TrainingConfig
