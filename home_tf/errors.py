"""The errors of the package, and a common check."""


class HomeError(ValueError):
    """A problem that the user can fix: what is wrong, where, and what to do.

    The message is one line. The command line prints it as `error: ...` and exits
    with code 2, without a stack trace.
    """


class RemoteFileError(Exception):
    """A storage does not answer, even after several tries.

    Nothing is wrong with the request, so this is not a `HomeError`; the command line
    still prints it in one line.
    """


class Interrupted(KeyboardInterrupt):
    """An interruption, by Ctrl-C or SIGTERM, that says what is saved in one line."""


def check_at_least(name: str, value: float, least: float) -> None:
    """Checks an argument.

    Args:
        name: Its name, for the message.
        value: Its value.
        least: Its minimum.

    Raises:
        HomeError: If it is less, or NaN.
    """
    if not value >= least:
        raise HomeError(f"`{name}` must be at least {least}. Received: {value}")
