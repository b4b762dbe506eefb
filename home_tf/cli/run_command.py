"""Running a command: its errors are one line, and its exit codes say which."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

from home_tf.errors import HomeError


def run_command(command: Callable[[], Any]) -> NoReturn:
    """Runs a command of the command line and exits.

    A `HomeError`, or an error of the file system, is one line on the standard error and
    exit code 2; an interruption is exit code 130.
    """
    try:
        command()
    except HomeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a folder that is not ours
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
