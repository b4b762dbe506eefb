"""What an error of TensorFlow says of a column."""


def find_column_error(message: str) -> str | None:
    """The line about a column, which the checks of this package put into the error.

    Args:
        message: The message of the error.

    Returns:
        The line from the word "column" on; None if there is none.
    """
    lines = [line.strip() for line in message.splitlines() if "column" in line]
    return lines[0][lines[0].index("column") :].rstrip("]") if lines else None
