"""An exported model that is called on arrays."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.data import Column
from home_tf.data.column_errors import find_column_error
from home_tf.errors import HomeError
from home_tf.files import AnyPath, PathLike, as_path
from home_tf.model_versions import Versions

Array = npt.NDArray[Any]

_MODEL_FILE = "saved_model.pb"
_SIGNATURE = "predict"


def find_saved_model(folder: PathLike) -> AnyPath:
    """Finds the SavedModel in a folder: the folder itself, or its newest version.

    Raises:
        HomeError: If there is none.
    """
    path = as_path(folder)
    if (path / _MODEL_FILE).is_file():
        return path
    versions = Versions(path)
    numbers = versions.numbers()
    if not numbers:
        raise HomeError(
            f"{path}: does not contain an exported model. Write one with `home-tf "
            "export`, or name another folder"
        )
    return versions.path(numbers[-1])


class SavedRanker:
    """A SavedModel written by `home-tf export`; it needs only TensorFlow.

    Args:
        folder: The folder with `saved_model.pb`.

    Raises:
        HomeError: If it cannot be loaded, or is a different kind of model.
    """

    def __init__(self, folder: PathLike) -> None:
        try:
            self._model = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise HomeError(f"{folder}: cannot be loaded ({reason})") from None
        if _SIGNATURE not in self._model.signatures:
            found = ", ".join(self._model.signatures) or "none"
            raise HomeError(
                f"{folder}: has no signature `{_SIGNATURE}`. It has: {found}. "
                "Name a model that `home-tf export` wrote"
            )
        self._function = self._model.signatures[_SIGNATURE]

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The columns that the model reads, by name."""
        specs = self._function.structured_input_signature[1].items()
        return {
            name: Column(spec.dtype.name, tuple(spec.shape[1:]))
            for name, spec in sorted(specs)
        }

    @cached_property
    def outputs(self) -> list[str]:
        """The tasks in alphabetical order, then `score` if there is one."""
        # A SavedModel does not store the order of the tasks.
        found = self._function.structured_outputs
        return sorted(found, key=lambda name: (name == "score", name))

    def __call__(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """Predicts rows.

        Args:
            columns: `{column: (rows,)}` or `(rows, length)` in the columns' dtypes.

        Returns:
            `{output: (rows,)}`.

        Raises:
            HomeError: If a number is NaN or infinite but must not be.
        """
        tensors = {name: tf.constant(values) for name, values in columns.items()}
        try:
            found = self._function(**tensors)
        except tf.errors.InvalidArgumentError as error:
            reason = find_column_error(str(error))
            if reason is None:
                raise
            raise HomeError(reason) from None
        return {name: np.asarray(found[name]) for name in self.outputs}


@lru_cache(maxsize=1)
def load_ranker(folder: str, fingerprint: str) -> SavedRanker:
    """Loads a `SavedRanker` once per process.

    Args:
        folder: The folder with `saved_model.pb`.
        fingerprint: A text that tells the model from earlier ones in the same folder.
    """
    return SavedRanker(folder)
