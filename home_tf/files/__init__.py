"""Atomic writes of files and directories, local and remote.

A path is a `pathlib.Path`, or a `RemotePath` for a URL that `tf.io.gfile` knows. Remote
files are only written here: all other code writes to a temporary local path.
"""

from home_tf.files.anywhere import (
    atomic_directory,
    atomic_file,
    check_vacant,
    directory_exists,
    explain_no_answer,
    local_copy,
    locked,
    move_directory,
    recover_directory,
    remove_directory,
)
from home_tf.files.local import remove_leftovers
from home_tf.files.paths import AnyPath, PathLike, as_path, join_path, require_local
from home_tf.files.remote import write_file
from home_tf.files.remote_path import RemotePath
from home_tf.files.tensorflow_files import say_tried_again
from home_tf.files.text import read_json, read_json_lines, write_json, write_text

__all__ = [
    "AnyPath",
    "PathLike",
    "RemotePath",
    "as_path",
    "atomic_directory",
    "atomic_file",
    "check_vacant",
    "directory_exists",
    "explain_no_answer",
    "join_path",
    "local_copy",
    "locked",
    "move_directory",
    "read_json",
    "read_json_lines",
    "recover_directory",
    "remove_directory",
    "remove_leftovers",
    "require_local",
    "say_tried_again",
    "write_file",
    "write_json",
    "write_text",
]
