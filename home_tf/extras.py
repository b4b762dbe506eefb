"""Whether packages are there that not every installation has."""

import importlib.util

from home_tf.errors import HomeError


def check_dependencies(what: str, *packages: str) -> None:
    """Raises a `HomeError` if packages of the extra `compare` are not installed.

    Args:
        what: What needs them.
        *packages: Their names in Python.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise HomeError(
            f'{what} needs {", ".join(missing)}: run `pip install ".[compare]"` in '
            "the folder of the library"
        )
