"""Local copies of the files of a log: those of a remote folder are downloaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from home_tf.config.data_config import DataConfig
from home_tf.engines.read_files import check_folder
from home_tf.files import AnyPath, RemotePath


@contextmanager
def local_files(data: DataConfig | None, folder: AnyPath) -> Iterator[Path]:
    """Yields the local folder that paths in the configuration are relative to.

    Args:
        data: The section `data`, which names the files.
        folder: The folder of the files.

    Raises:
        HomeError: If there is no such folder.
    """
    check_folder(folder)
    if not isinstance(folder, RemotePath):
        yield folder
        return
    with TemporaryDirectory(prefix="home_tf-") as scratch:
        copy = Path(scratch, folder.name)
        copy.mkdir()
        for pattern in _patterns(data):
            for file in folder.glob(pattern):
                file.download(copy / file.relative_to(folder))
        yield copy


def _patterns(data: DataConfig | None) -> list[str]:
    """The patterns of all files, except URLs and absolute paths."""
    if data is None:
        return []
    named = [data.log, *(table.files for table in data.tables.values())]
    if data.history_log is not None:
        named.append(data.history_log.files)
    listed = [[one] if isinstance(one, str) else one for one in named]
    return [
        pattern
        for patterns in listed
        for pattern in patterns
        if "://" not in pattern and not pattern.startswith("/")
    ]
