"""Checkpoints by name: what belongs to which weight is said by its path alone."""

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
# How the name of an embedding table ends, and those of its moments.
_TABLE = "/embeddings"
_SHOWN = 3
# The file by which TensorFlow finds the others; it is written last.
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
    """A checkpoint that is broken, such as cut in the middle."""


class Checkpoint:
    """Variables that are saved and restored by their names.

    A folder with the files of one of TensorFlow's checkpoints, in which a variable has
    the name `<part>/<path>`; `tf.train.load_checkpoint(folder)` reads it.

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

    def save(self, folder: AnyPath, number: int, *, writes: bool = True) -> None:
        """Saves the variables in a folder, in the place of what it held.

        Args:
            folder: The folder, of this checkpoint alone.
            number: The number of steps, which the files' names end with.
            writes: Whether this process writes; all that train together must call.

        Raises:
            HomeError: If the folder cannot be written, such as for want of space; what
                it held is still there.
        """
        # A reading can be a collective operation, in which all processes take part.
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
        """Restores the variables from what a folder holds.

        Names, shapes and dtypes are compared before anything is assigned.

        Args:
            folder: The folder.
            may_grow: Whether an embedding table, and what the optimizer keeps of it,
                may have more rows than were saved. These stay as they are.

        Returns:
            Whether there was anything.

        Raises:
            UnreadableCheckpointError: If it cannot be read.
            HomeError: If it is not what the variables are.
        """
        recover_directory(folder)
        if not directory_exists(folder, STATE_FILE) or not any(folder.iterdir()):
            return False
        with _explain_unreadable(folder), _open(folder) as reader:
            specs = _read_specs(reader)
            self._check(folder, specs, may_grow)
            values = {name: reader.get_tensor(name) for name in self._variables}
            # Tensors lie in the order of their names: with the last the file is whole.
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
                "weights otherwise. Train again, into another folder"
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
                f"{'; '.join(problems)}. Name the data that the run was trained on, or "
                "train again, into another folder"
            )


def _grown_spec(held: Spec, wanted: Spec) -> Spec:
    """What a variable would be with as many rows as are wanted, if these are more."""
    dtype, shape = held
    if not shape or not wanted[1] or wanted[1][0] < shape[0]:
        return held
    return dtype, (wanted[1][0], *shape[1:])


def _grown(saved: Any, variable: Any) -> Any:
    """What was saved, and below it the further rows of the variable."""
    if not saved.shape or len(saved) == variable.shape[0]:
        return saved
    return tf.concat([saved, tf.convert_to_tensor(variable)[len(saved) :]], axis=0)


def _compare(held: Mapping[str, Spec], wanted: Mapping[str, Spec]) -> list[str]:
    """What is missing, what is too much and what differs, each in a few words."""
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
    """Lends a reader of the checkpoint in a folder.

    Raises:
        ValueError: If there is none.
    """
    with local_copy(folder) as copy, TemporaryDirectory() as scratch:
        # TensorFlow would take the path for a pattern, and *, ? or [ in it for that.
        path = Path(scratch, "checkpoint")
        path.symlink_to(copy.absolute(), target_is_directory=True)
        found = tf.train.latest_checkpoint(str(path))
        if found is None:
            raise ValueError("its file `checkpoint` names none")
        yield tf.train.load_checkpoint(found)


@contextmanager
def _explain_unreadable(folder: AnyPath) -> Iterator[None]:
    """Turns TensorFlow's errors about a file that is broken into one line."""
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
    """Turns errors such as of a full disk into one line."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise HomeError(
            f"{folder}: the checkpoint cannot be written ({reason}). The one before is "
            "kept: make room, then run the same command again to resume"
        ) from None


def _read_specs(reader: Any) -> dict[str, Spec]:
    """The shape and dtype of every variable in a file, by name."""
    dtypes = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    return {name: _spec(shape, dtypes[name]) for name, shape in shapes.items()}


def _spec(shape: Any, dtype: Any) -> Spec:
    return tf.as_dtype(dtype).name, tuple(shape)


def _shown(spec: Spec) -> str:
    return f"{spec[0]} {list(spec[1])}"


def shorten(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
