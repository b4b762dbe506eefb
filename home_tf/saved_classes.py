"""Registers the package's classes with Keras, so that saved models load.

Keras loads only classes that have been imported. `import home_tf` alone imports none,
because the subpackages are loaded on first use. So they are imported here if Keras has
been imported, or as soon as it is.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# The modules with classes that a saved model can contain.
_MODULES = ("layers", "losses", "metrics", "models", "optimizers", "loss_weighting")
_FEATURES = "features.feature_embedding"


def know_classes() -> None:
    """Imports the classes now, or when Keras is imported."""
    if _keras() in sys.modules:
        _import_classes()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _keras() -> str:
    # Read like in `home_tf.backend`, which imports Keras.
    legacy = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
    return "tf_keras" if legacy else "keras"


def _import_classes() -> None:
    backend = sys.modules.get(f"{__package__}.backend")
    if backend is not None and getattr(backend.__spec__, "_initializing", False):
        return  # a subpackage that is being imported imports Keras
    modules = ["layers"]
    if importlib.util.find_spec("tensorflow"):
        modules = [*_MODULES, _FEATURES]
    if _keras() == "tf_keras" and importlib.util.find_spec("tensorflow_recommenders"):
        modules.append("tfrs")
    for module in modules:
        importlib.import_module(f"{__package__}.{module}")


class _AfterKeras(MetaPathFinder, Loader):
    """Finds Keras like other finders, and imports the classes after it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec of Keras, with this object as loader; None for everything else."""
        if fullname != _keras():
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Delegates to Keras's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs Keras, then imports the classes."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _import_classes()
