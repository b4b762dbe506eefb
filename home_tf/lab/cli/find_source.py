"""Finding the files of a log: in a given folder, the configured one, or generated."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from home_tf.errors import HomeError

if TYPE_CHECKING:  # at run time it would import TensorFlow
    from home_tf.config import Config

# The name of a generated log, apart from its dates.
_GENERATED = "log_standard_synthetic.csv.gz"


def find_source(
    config_file: Path,
    config: "Config",
    source: Path | None,
    generate: Callable[[], Path] | None = None,
) -> Path:
    """Finds the folder of the files that the section `data` names.

    Args:
        config_file: The file of the configuration.
        config: What it holds.
        source: The folder that the user gave.
        generate: Generates logs in the layout of KuaiRand and returns their folder. It
            is called for a configuration that reads such logs and has none.

    Returns:
        `source` if given, else the configuration's own folder if its files are there,
        else the generated logs.

    Raises:
        HomeError: If no folder is given and the files are not in the configuration's.
    """
    from home_tf.engines.read_files import files_exist

    if source is not None:
        return source
    if config.data is None:
        raise HomeError(
            f"{config_file}: has no section `data`, which says where the rows come from"
        )
    folder = config_file.parent / config.data.folder
    if files_exist(config.data.log, folder):
        return folder
    if generate is not None and _reads_generated(config.data.log):
        return generate()
    raise HomeError(
        f"`data.log`: no file matches {_listed(config.data.log)} in {folder}. Set "
        "the folder of the files with `--source`, or in `data.folder`"
    )


def _reads_generated(patterns: str | tuple[str, ...]) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch(_GENERATED, pattern) for pattern in listed)


def _listed(patterns: str | tuple[str, ...]) -> str:
    return patterns if isinstance(patterns, str) else ", ".join(patterns)
