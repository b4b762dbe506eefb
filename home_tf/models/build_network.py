"""The network that a configuration describes."""

from typing import Any

from home_tf.config import Config
from home_tf.errors import HomeError
from home_tf.features import FeatureEmbedding, Preprocessor
from home_tf.layers import TaskTowers
from home_tf.models.ranking_network import RankingNetwork


def build_network(config: Config, preprocessor: Preprocessor) -> RankingNetwork:
    """Builds the network of a configuration, its weights created.

    Args:
        config: The configuration.
        preprocessor: The preprocessor of the dataset directory, which knows the table
            sizes.

    Returns:
        The network, from the preprocessor's outputs to logits by task.

    Raises:
        HomeError: If the arguments do not fit together, such as a width that the number
            of LoRAs does not divide.
    """
    dtype = config.training.mixed_precision
    try:
        features = FeatureEmbedding(
            preprocessor.tables,
            preprocessor.embedded_features,
            num_numeric=len(preprocessor.numeric_features),
            embedding_l2=config.model.embedding_l2,
            dtype=dtype,
            name="features",
        )
        representations = _representations(config)
        towers = TaskTowers(
            representations.tasks,
            hidden_units=config.model.tower_units,
            initial_rates=_initial_rates(config, preprocessor),
            dtype=dtype,
            name="towers",
        )
        network = RankingNetwork(
            features,
            representations,
            towers,
            dropout=config.model.dropout,
            dtype=dtype,
        )
        network.build(None)
    except HomeError:
        raise
    except ValueError as error:
        raise HomeError(str(error).splitlines()[0]) from None
    return network


def _representations(config: Config) -> Any:
    architecture = config.model.architecture
    dtype = config.training.mixed_precision
    return architecture.make_layer(
        config.task_groups, dtype=dtype, name=architecture.type
    )


def _initial_rates(
    config: Config, preprocessor: Preprocessor
) -> dict[str, float] | None:
    if not config.model.initial_rates:
        return None
    return {
        name: preprocessor.data.statistics(
            task.label or name, needed_by=f"task `{name}`"
        ).positive_rate
        for name, task in config.tasks.items()
    }
