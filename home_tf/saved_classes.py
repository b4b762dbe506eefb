"""Has Keras know the classes of this package, so that a saved model loads.

Keras loads only what has been imported. Whoever imports `home_tf` alone has imported no
class, for the subpackages are loaded on first use: when Keras is there, or as soon as
it comes, they are imported here.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Whose classes a saved model can have.
_MODULES = ("layers", "losses", "metrics", "models", "optimizers", "loss_weighting")
_FEATURES = "features.feature_embedding"


def know_classes() -> None:
    """Imports the classes now, or when Keras is imported."""
    if _keras() in sys.modules:
        _import_classes()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _keras() -> str:
    # As `home_tf.backend` reads it, which imports Keras.
    legacy = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
    return "tf_keras" if legacy else "keras"


def _import_classes() -> None:
    backend = sys.modules.get(f"{__package__}.backend")
    if backend is not None and getattr(backend.__spec__, "_initializing", False):
        return  # Keras is imported by a part of this package, which is asked for
    modules = ["layers"]
    if importlib.util.find_spec("tensorflow"):
        modules = [*_MODULES, _FEATURES]
    if _keras() == "tf_keras" and importlib.util.find_spec("tensorflow_recommenders"):
        modules.append("tfrs")
    for module in modules:
        importlib.import_module(f"{__package__}.{module}")


class _AfterKeras(MetaPathFinder, Loader):
    """Finds Keras as the others do, and imports the classes once it is imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The place of Keras, to be loaded by this object; None of all else."""
        if fullname != _keras():
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """What Keras's own loader makes."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs Keras, then imports the classes."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _import_classes()
