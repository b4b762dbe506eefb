"""Finding the column that a TensorFlow error is about."""


def find_column_error(message: str) -> str | None:
    """Finds the line about a column, which this package's checks put into the error.

    Args:
        message: The message of the error.

    Returns:
        The line from the word "column" onwards; None if there is none.
    """
    lines = [line.strip() for line in message.splitlines() if "column" in line]
    return lines[0][lines[0].index("column") :].rstrip("]") if lines else None
