"""Optional packages: the extras in `setup.cfg`."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from home_tf.errors import HomeError


class MissingPackageError(HomeError, ImportError):
    """A package from an extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed. It comes with the extra `{extra}`: run "
            f'`pip install ".[{extra}]"` in the folder of the library'
        )


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Names the extra if an import in the context fails.

    Args:
        name: The extra with the imported packages.

    Raises:
        MissingPackageError: If a package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "home_tf").partition(".")[0]
        if package == "home_tf":
            raise
        raise MissingPackageError(package, name) from None


def require_extra(name: str, *packages: str) -> None:
    """Checks that packages are installed, without importing them.

    Args:
        name: The extra that has them.
        *packages: Their names in Python.

    Raises:
        MissingPackageError: If one is not installed.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(package, name)
