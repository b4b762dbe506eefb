"""Whether the packages of the extra `compare` are there."""

import importlib.util

from home_tf.errors import HomeError


def check_dependencies() -> None:
    """Raises a `HomeError` if packages of the extra `compare` are not installed."""
    needed = ("lightgbm", "matplotlib", "optuna")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise HomeError(
            f"a comparison needs {', '.join(missing)}: run "
            '`pip install "home-tf[compare]"`'
        )
