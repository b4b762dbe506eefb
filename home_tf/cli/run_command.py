"""Running a command, with one-line errors and distinct exit codes."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from home_tf.errors import HomeError, Interrupted, RemoteFileError
from home_tf.files import say_tried_again


def run_command(command: Callable[[], Any]) -> NoReturn:
    """Runs a command and exits.

    A `HomeError` or a file system error prints one line to standard error and gives
    exit code 2. An interruption by Ctrl-C gives exit code 130, by SIGTERM 143.
    """
    received: signal.Signals | None = None

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal received
        received = signal.Signals(number)
        # A plain KeyboardInterrupt that passes through an `exec`, such as an import's,
        # ends the process by SIGINT, even if it is caught afterwards.
        raise Interrupted

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGINT, signal.SIGTERM)
        # A background job of a shell ignores Ctrl-C.
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        command()
    except (KeyboardInterrupt, SystemExit, Exception) as ended:
        interruption = _find_interruption(ended)
        # A signal may have turned into another error, for example in a C++ library; and
        # one of several processes may have received it for all.
        if received is not None or interruption is not None:
            line = str(interruption or "")
            print(line or "interrupted. Run the same command again", file=sys.stderr)
            sys.exit(128 + (received or signal.SIGINT))
        # For example a full disk, or a folder without write access.
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
    """Finds the interruption behind an error: Typer turns it into an exit."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error
