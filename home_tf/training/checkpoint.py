"""Checkpoints by name: the path of a weight identifies its values."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.files import (
    AnyPath,
    atomic_directory,
    directory_exists,
    local_copy,
    recover_directory,
)

Variables = Mapping[str, Any]
Spec = tuple[str, tuple[int, ...]]
# The suffix of the name of an embedding table, and of its moments.
_TABLE = "/embeddings"
_SHOWN = 3
# The file through which TensorFlow finds the others; it is written last.
STATE_FILE = "checkpoint"
# What TensorFlow raises, depending on which byte of which file is wrong.
_UNREADABLE = (
    tf.errors.OpError,
    AssertionError,
    LookupError,
    RuntimeError,
    ValueError,
)


class UnreadableCheckpointError(HomeError):
    """A checkpoint is broken, for example truncated."""


class Checkpoint:
    """Saves and restores variables by their names.

    A checkpoint is a folder with the files of a TensorFlow checkpoint, in which
    variables are named `<part>/<path>`; `tf.train.load_checkpoint(folder)` reads it.

    Args:
        **parts: `{path: variable}` for each part, such as `network`. A file may have
            further parts; the parts named here must match exactly.
    """

    def __init__(self, **parts: Variables) -> None:
        self._parts = parts
        self._variables = {
            f"{part}/{path}": variable
            for part, variables in parts.items()
            for path, variable in variables.items()
        }

    def save(self, folder: AnyPath, number: int, *, writes: bool = True) -> None:
        """Saves the variables in a folder, replacing its content.

        Args:
            folder: The folder, for this checkpoint alone.
            number: The number of steps, which is the suffix of the file names.
            writes: Whether this process writes; all that train together must call this.

        Raises:
            HomeError: If the folder cannot be written, for example because the disk is
                full; its content is kept.
        """
        # Reading can be a collective operation, in which all processes take part.
        tensors = [tf.convert_to_tensor(v) for v in self._variables.values()]
        if not writes:
            return
        name = f"ckpt-{number}"
        with (
            _explain_unwritable(folder),
            atomic_directory(
                folder, replaceable=lambda _: True, marker=STATE_FILE
            ) as aside,
        ):
            tf.raw_ops.SaveV2(
                prefix=str(aside / name),
                tensor_names=list(self._variables),
                shape_and_slices=[""] * len(self._variables),
                tensors=tensors,
            )
            state = f'model_checkpoint_path: "{name}"\n'
            (aside / STATE_FILE).write_text(state, encoding="utf-8")

    def restore(self, folder: AnyPath, *, may_grow: bool = False) -> bool:
        """Restores the variables from a folder.

        Names, shapes and dtypes are compared before anything is assigned.

        Args:
            folder: The folder.
            may_grow: Whether embedding tables, and their optimizer state, may have more
                rows than were saved. The additional rows stay as they are.

        Returns:
            Whether there was a checkpoint.

        Raises:
            UnreadableCheckpointError: If it cannot be read.
            HomeError: If it does not match the variables.
        """
        recover_directory(folder)
        if not directory_exists(folder, STATE_FILE) or not any(folder.iterdir()):
            return False
        with _explain_unreadable(folder), _open(folder) as reader:
            specs = _read_specs(reader)
            self._check(folder, specs, may_grow)
            values = {name: reader.get_tensor(name) for name in self._variables}
            # Tensors are stored in the order of their names: if the last is there, all
            # are.
            reader.get_tensor(max(specs))
        for name, variable in self._variables.items():
            variable.assign(_grown(values[name], variable))
        return True

    def _check(
        self, folder: AnyPath, saved: Mapping[str, Spec], may_grow: bool
    ) -> None:
        if any(re.search(r"/\.ATTRIBUTES/", name) for name in saved):
            raise HomeError(
                f"{folder}: was written by an earlier version of home_tf, which named "
                "weights differently. Train again, into another folder"
            )
        held = {n: s for n, s in saved.items() if n.split("/")[0] in self._parts}
        wanted = {name: _spec(v.shape, v.dtype) for name, v in self._variables.items()}
        if may_grow:
            held = {
                name: _grown_spec(spec, wanted[name])
                if name in wanted and name.endswith(_TABLE)
                else spec
                for name, spec in held.items()
            }
        problems = _compare(held, wanted)
        if problems:
            raise HomeError(
                f"{folder}: does not fit the data of the run, or its configuration; "
                f"{'; '.join(problems)}. Pass the data that the run was trained on, or "
                "train again, into another folder"
            )


def _grown_spec(held: Spec, wanted: Spec) -> Spec:
    """The spec of a variable after growing to the wanted number of rows, if larger."""
    dtype, shape = held
    if not shape or not wanted[1] or wanted[1][0] < shape[0]:
        return held
    return dtype, (wanted[1][0], *shape[1:])


def _grown(saved: Any, variable: Any) -> Any:
    """The saved rows, followed by the additional rows of the variable."""
    if not saved.shape or len(saved) == variable.shape[0]:
        return saved
    return tf.concat([saved, tf.convert_to_tensor(variable)[len(saved) :]], axis=0)


def _compare(held: Mapping[str, Spec], wanted: Mapping[str, Spec]) -> list[str]:
    """Describes missing, unexpected and different variables in a few words each."""
    both = held.keys() & wanted.keys()
    problems = {
        "missing": sorted(wanted.keys() - held.keys()),
        "not in the model": sorted(held.keys() - wanted.keys()),
        "of another shape or dtype": [
            f"{name} ({_shown(held[name])}, in the model {_shown(wanted[name])})"
            for name in sorted(both)
            if held[name] != wanted[name]
        ],
    }
    return [f"{what}: {shorten(names)}" for what, names in problems.items() if names]


@contextmanager
def _open(folder: AnyPath) -> Iterator[Any]:
    """Yields a reader of the checkpoint in a folder.

    Raises:
        ValueError: If there is none.
    """
    with local_copy(folder) as copy, TemporaryDirectory() as scratch:
        # TensorFlow would treat the path as a pattern, in which *, ? and [ are special.
        path = Path(scratch, "checkpoint")
        path.symlink_to(copy.absolute(), target_is_directory=True)
        found = tf.train.latest_checkpoint(str(path))
        if found is None:
            raise ValueError("its file `checkpoint` does not name one")
        yield tf.train.load_checkpoint(found)


@contextmanager
def _explain_unreadable(folder: AnyPath) -> Iterator[None]:
    """Turns TensorFlow's errors about a broken file into one line."""
    try:
        yield
    except HomeError:
        raise
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or ["no message"])[0][:200]
        raise UnreadableCheckpointError(
            f"{folder}: the checkpoint cannot be read ({reason}). Train again, into "
            "another folder"
        ) from None


@contextmanager
def _explain_unwritable(folder: AnyPath) -> Iterator[None]:
    """Turns errors such as a full disk into one line."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise HomeError(
            f"{folder}: the checkpoint cannot be written ({reason}). The previous one "
            "is kept: free some space, then run the same command again to resume"
        ) from None


def _read_specs(reader: Any) -> dict[str, Spec]:
    """Reads the shape and dtype of every variable in a file, by name."""
    dtypes = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    return {name: _spec(shape, dtypes[name]) for name, shape in shapes.items()}


def _spec(shape: Any, dtype: Any) -> Spec:
    return tf.as_dtype(dtype).name, tuple(shape)


def _shown(spec: Spec) -> str:
    return f"{spec[0]} {list(spec[1])}"


def shorten(names: list[str]) -> str:
    """Shortens a list of names to the first ones and the number of others."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
