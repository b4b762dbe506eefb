"""The hyper-parameters that are tuned, for networks and for LightGBM."""

from typing import Any

from optuna import Trial

from home_tf.config import Config

MOMENTUM = "model.architecture.expert.batch_norm_momentum"

LIGHTGBM_DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
}


def network_defaults(config: Config) -> dict[str, Any]:
    """The configuration's own values, which are the first trial."""
    return {
        "training.learning_rate": config.training.learning_rate,
        "model.embedding_l2": config.model.embedding_l2,
        "model.dropout": config.model.dropout,
        MOMENTUM: config.model.architecture.arguments["expert"].batch_norm_momentum,
    }


def suggest_network(trial: Trial) -> dict[str, Any]:
    """A point of the networks' space, by dotted key of the configuration.

    The number of epochs is not in it: early stopping picks it. Every architecture has
    the same space; without BatchNorm the momentum has no effect.
    """
    return {
        "training.learning_rate": trial.suggest_float(
            "training.learning_rate", 3e-4, 1e-2, log=True
        ),
        "model.embedding_l2": trial.suggest_float(
            "model.embedding_l2", 1e-6, 1e-2, log=True
        ),
        "model.dropout": trial.suggest_float("model.dropout", 0.0, 0.3),
        MOMENTUM: trial.suggest_float(MOMENTUM, 0.8, 0.99),
    }


def suggest_lightgbm(trial: Trial) -> dict[str, Any]:
    """A point of LightGBM's space, by name of the parameter."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 500, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 100.0, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
    }
