"""Running a command: its errors are one line, and its exit codes say which."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from home_tf.errors import HomeError, Interrupted, RemoteFileError
from home_tf.files import say_tried_again


def run_command(command: Callable[[], Any]) -> NoReturn:
    """Runs a command of the command line and exits.

    A `HomeError`, or an error of a file system, is one line on the standard error and
    exit code 2; an interruption by Ctrl-C is exit code 130, and by SIGTERM 143.
    """
    received: signal.Signals | None = None

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal received
        received = signal.Signals(number)
        # A plain KeyboardInterrupt that passes through an `exec`, as of an import, ends
        # the process by SIGINT, whatever becomes of it afterwards.
        raise Interrupted

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGINT, signal.SIGTERM)
        # A job in the background of a shell ignores Ctrl-C.
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        command()
    except (KeyboardInterrupt, SystemExit, Exception) as ended:
        interruption = _find_interruption(ended)
        # What was received can have become another error, as in a library in C++; and
        # of several processes one may have received it for all.
        if received is not None or interruption is not None:
            line = str(interruption or "")
            print(line or "interrupted. Run the same command again", file=sys.stderr)
            sys.exit(128 + (received or signal.SIGINT))
        # Such as a full disk, or a folder that is not ours.
        if isinstance(ended, (HomeError, OSError, RemoteFileError)):
            print(f"error: {ended}", file=sys.stderr)
            sys.exit(2)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for line in say_tried_again():
            print(line, file=sys.stderr)
    sys.exit(0)


def _find_interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interruption that an error is, or came of: Typer makes an exit of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error
