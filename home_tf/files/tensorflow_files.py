"""Requests to TensorFlow's file systems, which are retried if they fail.

TensorFlow is imported with the first request, and tensorflow-io with the first to a
file system that only it has.
"""

import atexit
import ctypes
import errno
import functools
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from home_tf.errors import HomeError, RemoteFileError
from home_tf.extras import extra

# In these, a file is written in one piece, and there are no folders.
OBJECT_STORES = ("s3", "gs", "az", "oss")
_OF_TENSORFLOW_IO = ("s3", "az", "oss", "hdfs", "viewfs", "har")
# The version that tensorflow-io 0.37, the latest, is compiled for.
_TENSORFLOW = "2.16."
TRIES = 4
# Seconds before the first retry; they double each time.
FIRST_PAUSE_SECONDS = 1.0

Result = TypeVar("Result")
_tried_again: Counter[str] = Counter()


def gfile(url: str) -> Any:
    """`tf.io.gfile`, which can open a URL.

    Raises:
        HomeError: If TensorFlow has no such file system, or tensorflow-io is missing.
    """
    _start(url.partition("://")[0], url)
    import tensorflow as tf

    return tf.io.gfile


def list_names(url: str) -> list[str]:
    """Lists the names in a folder; empty if it does not exist."""
    gfile(url)
    import tensorflow as tf

    # If the storage does not answer, `tf.io.gfile.listdir` reports that there is no
    # folder, and `glob` that it is empty; a training would start from scratch.
    from tensorflow.python.lib.io import _pywrap_file_io

    try:
        return [name.rstrip("/") for name in _pywrap_file_io.GetChildren(url)]
    except tf.errors.NotFoundError:
        return []


def request(url: str, action: Callable[[], Result]) -> Result:
    """Makes a request for a remote file, with retries if the storage fails.

    Args:
        url: The file, for messages.
        action: The request; an earlier try may have done it in part.

    Raises:
        RemoteFileError: If it fails each time.
        OSError: If it cannot be done, for example without the file or permission.
    """
    pause = FIRST_PAUSE_SECONDS
    gfile(url)
    import tensorflow as tf

    for left in reversed(range(TRIES)):
        try:
            return action()
        except transient_errors() as error:
            if not left:
                raise RemoteFileError(no_answer(url, error)) from None
            _tried_again[_storage(url)] += 1
            time.sleep(pause)
            pause *= 2
        except tf.errors.NotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, _reason(error), url) from None
        except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as e:
            raise PermissionError(errno.EACCES, _reason(e), url) from None
        except tf.errors.OpError as error:
            raise OSError(errno.EIO, _reason(error), url) from None
    raise AssertionError


def transient_errors() -> tuple[type[Exception], ...]:
    """The exceptions of TensorFlow if a storage fails, or a connection breaks."""
    import tensorflow as tf

    return (
        tf.errors.AbortedError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
        tf.errors.ResourceExhaustedError,
        tf.errors.UnavailableError,
        tf.errors.UnknownError,
    )


def no_answer(url: str, error: Any) -> str:
    """Makes a line about a storage that does not answer."""
    return (
        f"{url}: the storage does not answer ({_reason(error)}). Run the same command "
        "again when it does"
    )


def say_tried_again() -> list[str]:
    """Reports in a line each storage whose requests were retried."""
    return [
        f"{count:,} request{'s' if count > 1 else ''} to {storage} "
        f"{'were' if count > 1 else 'was'} tried again"
        for storage, count in _tried_again.items()
    ]


def _storage(url: str) -> str:
    scheme, _, host, *_ = url.split("/", 3)
    return f"{scheme}//{host}"


def _reason(error: Any) -> str:
    # Without the operations that TensorFlow names.
    message = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error.message)).strip(": \n")
    lines = message.splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0][:200]}"


def _start(scheme: str, url: str) -> None:
    """Registers a URL scheme with TensorFlow."""
    import tensorflow as tf

    schemes = tf.io.gfile.get_registered_schemes
    if scheme in _OF_TENSORFLOW_IO:
        if not tf.__version__.startswith(_TENSORFLOW):
            raise HomeError(_say_what_to_install(url, tf.__version__))
        _import_tensorflow_io()
    known = schemes()
    if scheme not in known:
        listed = ", ".join(sorted(filter(None, {*known, *_OF_TENSORFLOW_IO})))
        raise HomeError(
            f"{url}: `{scheme}://` is not a file system that TensorFlow supports. It "
            f"supports: {listed}"
        )


def _say_what_to_install(url: str, version: str) -> str:
    return (
        f"{url}: needs tensorflow-io, which works with TensorFlow {_TENSORFLOW}x "
        f'alone, and this is {version}. Run `pip install "home-tf[io]"` in an '
        "environment of its own, or copy the files"
    )


@functools.cache
def _import_tensorflow_io() -> None:
    # Its downloads in parts have given broken records after a request that was retried
    # (tensorflow/tensorflow#56855), and ask for each part twice.
    os.environ.setdefault("S3_DISABLE_MULTI_PART_DOWNLOAD", "1")
    with extra("io"):
        import tensorflow_io  # noqa: F401
    # A process that has used S3 aborts while it ends, with exit code 134
    # (tensorflow/io#2039). Python is done by then: the process ends at once instead,
    # with its own exit code. The last that is to be done at the end is done first.
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):
        atexit.register(libc.on_exit, libc._exit, None)
