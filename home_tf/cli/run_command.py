"""Running a command: its errors are one line, and its exit codes say which."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from home_tf.errors import HomeError, RemoteFileError
from home_tf.files import say_tried_again


def run_command(command: Callable[[], Any]) -> NoReturn:
    """Runs a command of the command line and exits.

    A `HomeError`, or an error of a file system, is one line on the standard error and
    exit code 2; an interruption by Ctrl-C is exit code 130, and by SIGTERM 143.
    """
    received = signal.SIGINT

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal received
        received = signal.SIGTERM
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        command()
    except (HomeError, RemoteFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a folder that is not ours
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as ended:
        interruption = _find_interruption(ended)
        if interruption is None:
            raise
        line = str(interruption) or "interrupted. Run the same command again"
        print(line, file=sys.stderr)
        sys.exit(128 + received)
    finally:
        signal.signal(signal.SIGTERM, before)
        for line in say_tried_again():
            print(line, file=sys.stderr)
    sys.exit(0)


def _find_interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interruption that an error is, or came of: Typer makes an exit of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error
