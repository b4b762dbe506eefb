"""HoME (Hierarchy of Multi-Gate Experts) for TensorFlow, Keras and TFRS.

The subpackages are imported on first use: `import home_tf` alone loads no framework,
and `home_tf.layers` nothing of the input pipeline or the command line.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from home_tf.saved_classes import know_classes

if TYPE_CHECKING:
    from home_tf import config as config
    from home_tf import data as data
    from home_tf import description as description
    from home_tf import diagnosis as diagnosis
    from home_tf import evaluation as evaluation
    from home_tf import export as export
    from home_tf import features as features
    from home_tf import layers as layers
    from home_tf import loss_weighting as loss_weighting
    from home_tf import losses as losses
    from home_tf import metrics as metrics
    from home_tf import models as models
    from home_tf import optimizers as optimizers
    from home_tf import predict as predict
    from home_tf import prepare as prepare
    from home_tf import progressive as progressive
    from home_tf import tfrs as tfrs
    from home_tf import training as training
    from home_tf import tuning as tuning

__version__ = "0.1.0"

_SUBPACKAGES = (
    "config",
    "data",
    "description",
    "diagnosis",
    "evaluation",
    "export",
    "features",
    "layers",
    "loss_weighting",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "predict",
    "prepare",
    "progressive",
    "tfrs",
    "training",
    "tuning",
)


def __getattr__(name: str) -> ModuleType:
    if name not in _SUBPACKAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBPACKAGES})


know_classes()
