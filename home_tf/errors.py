"""The error that every user-facing check raises."""


class HomeError(ValueError):
    """A problem that the user can mend: what is wrong, where, and what to do.

    The message is one line. The command line prints it as `error: ...` and exits
    with code 2, without a stack trace.
    """


class RemoteFileError(Exception):
    """A storage that does not answer now, though it was asked several times.

    Nothing is wrong with what was asked, so that this is no `HomeError`; the command
    line prints it in one line all the same.
    """


class Interrupted(KeyboardInterrupt):
    """An interruption, by Ctrl-C or SIGTERM, that says what is saved in one line."""


def check_at_least(name: str, value: float, least: float) -> None:
    """Checks an argument.

    Args:
        name: Its name, for the message.
        value: Its value.
        least: The least that it may be.

    Raises:
        HomeError: If it is less, or NaN.
    """
    if not value >= least:
        raise HomeError(f"`{name}` must be at least {least}. Received: {value}")
