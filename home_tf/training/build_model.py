"""The model, and what it needs to train, that a configuration describes."""

from typing import Any

from home_tf.backend import IS_LEGACY, keras
from home_tf.config import Config
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.loss_weighting import GradNorm
from home_tf.models.build_network import build_network
from home_tf.optimizers import LazyAdam


def build_model(config: Config, preprocessor: Preprocessor, *, steps: int = 1) -> Any:
    """Builds and compiles the ranking model of a configuration.

    Args:
        config: The configuration; `training.framework` picks the twin.
        preprocessor: The preprocessor of the prepared data.
        steps: Steps of the whole training, for the decay of the learning rate.

    Returns:
        A `home_tf.tfrs.RankingModel` or a `home_tf.models.RankingModel`, its weights
        created, compiled.

    Raises:
        HomeError: If the framework needs another Keras than the one in force, or tasks
            have loss weights that would be learnt.
    """
    model_class = _model_class(config.training.framework)
    network = build_network(config, preprocessor)
    model = model_class(
        network,
        list(config.tasks),
        loss_weights={name: task.loss_weight for name, task in config.tasks.items()},
        loss_weighting=_loss_weighting(config),
        dtype=config.training.mixed_precision,
    )
    model.compile(
        optimizer=_optimizer(config, steps),
        jit_compile=config.training.jit_compile,
        steps_per_execution=config.training.steps_per_execution,
    )
    # Otherwise legacy Keras traces the first step twice, to create the variables.
    model.optimizer.build(model.trainable_variables)
    return model


def _model_class(framework: str) -> Any:
    if framework == "keras":
        from home_tf.models import RankingModel

        return RankingModel
    if not IS_LEGACY:
        raise HomeError(
            "`training.framework: tfrs` needs legacy Keras: set TF_USE_LEGACY_KERAS=1 "
            "in the environment, or use `training.framework: keras`"
        )
    from home_tf.tfrs import RankingModel

    return RankingModel


def _loss_weighting(config: Config) -> Any:
    if config.training.gradnorm_alpha is not None:
        return GradNorm(alpha=config.training.gradnorm_alpha)
    return config.training.loss_weighting


def _optimizer(config: Config, steps: int) -> Any:
    rate: Any = config.training.learning_rate
    if config.training.learning_rate_decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=max(steps, 1))
    lazy = config.training.optimizer == "lazy_adam"
    optimizer = LazyAdam if lazy else keras.optimizers.Adam
    return optimizer(rate, global_clipnorm=config.training.clip_norm)
