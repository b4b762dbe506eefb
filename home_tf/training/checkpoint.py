"""Checkpoints by name: what belongs to which weight is said by its path alone."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from home_tf.errors import HomeError

Variables = Mapping[str, Any]
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SHOWN = 3
# What TensorFlow raises, depending on which byte of which file is wrong.
_UNREADABLE = (
    tf.errors.OpError,
    AssertionError,
    LookupError,
    RuntimeError,
    ValueError,
)


class Checkpoint:
    """Variables that are saved and restored by their names.

    The file is one of TensorFlow's, in which a variable has the name
    `<part>/<path>/.ATTRIBUTES/VARIABLE_VALUE`.

    Args:
        **parts: `{path: variable}` for each part, such as `network`. A file may have
            further parts; the parts that are named here must be in it as they are.
    """

    def __init__(self, **parts: Variables) -> None:
        self._parts = parts
        self._variables = {
            f"{part}/{path}": variable
            for part, variables in parts.items()
            for path, variable in variables.items()
        }
        self._checkpoint = tf.train.Checkpoint(**_nested(self._variables))

    def save(self, folder: Path, number: int) -> None:
        """Saves the variables in a folder, in the place of what it held.

        Args:
            folder: The folder, of this checkpoint alone.
            number: The number of the epoch, which the files' names end with.
        """
        manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=1
        )
        manager.save(checkpoint_number=number)

    def restore(self, folder: Path) -> bool:
        """Restores the variables from what a folder holds.

        Names, shapes and dtypes are compared before anything is assigned.

        Returns:
            Whether there was anything.

        Raises:
            HomeError: If it cannot be read, or is not what the variables are.
        """
        with _explain_unreadable(folder):
            path = _find(folder)
            if path is None:
                return False
            self._check(folder, _read_specs(path))
            status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched().expect_partial()
        return True

    def _check(self, folder: Path, saved: Mapping[str, str]) -> None:
        if any(re.fullmatch(r"network/\d+", name) for name in saved):
            raise HomeError(
                f"{folder}: was written by an earlier version of home_tf, which kept "
                "weights by their position and not by name. Train again, into another "
                "folder"
            )
        held = {n: s for n, s in saved.items() if n.split("/")[0] in self._parts}
        wanted = {name: _spec(v.shape, v.dtype) for name, v in self._variables.items()}
        problems = _compare(held, wanted)
        if problems:
            raise HomeError(
                f"{folder}: does not fit the data of the run, or its configuration; "
                f"{'; '.join(problems)}. Name the data that the run was trained on, or "
                "train again, into another folder"
            )


def _compare(held: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What is missing, what is too much and what differs, each in a few words."""
    both = held.keys() & wanted.keys()
    problems = {
        "missing": sorted(wanted.keys() - held.keys()),
        "not in the model": sorted(held.keys() - wanted.keys()),
        "of another shape or dtype": [
            f"{name} ({held[name]}, in the model {wanted[name]})"
            for name in sorted(both)
            if held[name] != wanted[name]
        ],
    }
    return [f"{what}: {_shorten(names)}" for what, names in problems.items() if names]


@contextmanager
def _explain_unreadable(folder: Path) -> Iterator[None]:
    """Turns TensorFlow's errors about a file that is broken into one line."""
    try:
        yield
    except HomeError:
        raise
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or ["no message"])[0][:200]
        raise HomeError(
            f"{folder}: the checkpoint cannot be read ({reason}). Train again, into "
            "another folder"
        ) from None


def _find(folder: Path) -> str | None:
    """The path of the checkpoint in a folder, as TensorFlow names it, if there is one.

    Raises:
        ValueError: If there are files of one, of which the folder's list says nothing.
    """
    path: str | None = tf.train.latest_checkpoint(str(folder))
    if path is None and any(folder.glob("*.index")):
        raise ValueError("its file `checkpoint` names none")
    return path


def _read_specs(path: str) -> dict[str, str]:
    """The shape and dtype of every variable in a file, by name."""
    reader = tf.train.load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
    # TensorFlow doubles the dots of a name.
    return {
        key.removesuffix(_VALUE).replace("..", "."): _spec(shape, dtypes[key])
        for key, shape in shapes.items()
        if key.endswith(_VALUE)
    }


def _spec(shape: Any, dtype: Any) -> str:
    return f"{tf.as_dtype(dtype).name} {list(shape)}"


def _shorten(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _nested(variables: Variables) -> dict[str, Any]:
    """The variables as dicts in dicts, one for each segment of a name."""
    tree: dict[str, Any] = {}
    for name, variable in variables.items():
        *folders, last = name.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = variable
    return tree
