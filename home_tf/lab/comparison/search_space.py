"""The hyper-parameters that are tuned, for networks and for LightGBM."""

from typing import Any

from home_tf.config import Config
from home_tf.tuning import NETWORK_SPACE, Range, Space

LIGHTGBM_DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
}

LIGHTGBM_SPACE: Space = {
    "learning_rate": Range(0.02, 0.2, log=True),
    "num_leaves": Range(7, 127, log=True),
    "min_data_in_leaf": Range(20, 500, log=True),
    "lambda_l2": Range(1e-2, 100.0, log=True),
    "feature_fraction": Range(0.3, 1.0),
}


def network_defaults(config: Config) -> dict[str, Any]:
    """The configuration's own values, which are the first trial."""
    momentum = config.model.architecture.arguments["expert"].batch_norm_momentum
    values = (
        config.training.learning_rate,
        config.model.embedding_l2,
        config.model.dropout,
        momentum,
    )
    return dict(zip(NETWORK_SPACE, values, strict=True))
