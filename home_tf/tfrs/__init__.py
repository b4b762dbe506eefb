"""The ranking model for TensorFlow Recommenders. TFRS is imported on first use."""

from typing import TYPE_CHECKING, Any

from home_tf.backend import IS_LEGACY
from home_tf.extras import extra

if TYPE_CHECKING:
    from home_tf.tfrs.ranking_model import RankingModel as RankingModel

__all__ = ["RankingModel"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not IS_LEGACY:
        raise ImportError(
            "`home_tf.tfrs` needs legacy Keras, because TensorFlow Recommenders does. "
            "Set TF_USE_LEGACY_KERAS=1 in the environment before the first import of "
            "tensorflow, keras or home_tf; or use `home_tf.models.RankingModel`, its "
            "counterpart for Keras 3"
        )
    with extra("tfrs"):
        from home_tf.tfrs.ranking_model import RankingModel

    return RankingModel
