"""The error that every user-facing check raises."""


class HomeError(ValueError):
    """A problem that the user can mend: what is wrong, where, and what to do.

    The message is one line. The command line prints it as `error: ...` and exits
    with code 2, without a stack trace.
    """
