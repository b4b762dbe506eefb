"""The YAML configuration: one schema, read into checked dataclasses."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.config.architectures import ARCHITECTURES as ARCHITECTURES
    from home_tf.config.architectures import HoMEConfig as HoMEConfig
    from home_tf.config.load import dump_config as dump_config
    from home_tf.config.load import load_config as load_config
    from home_tf.config.load import override_config as override_config
    from home_tf.config.schema import CandidatesConfig as CandidatesConfig
    from home_tf.config.schema import Config as Config
    from home_tf.config.schema import EvaluationConfig as EvaluationConfig
    from home_tf.config.schema import ModelConfig as ModelConfig
    from home_tf.config.schema import ScoreConfig as ScoreConfig
    from home_tf.config.schema import ServingConfig as ServingConfig
    from home_tf.config.schema import TrainingConfig as TrainingConfig
