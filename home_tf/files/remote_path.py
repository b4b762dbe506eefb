"""Paths of remote files, with the needed methods of `pathlib.Path`."""

import fnmatch
import io
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering
from pathlib import Path
from typing import IO, Any

from home_tf.files.tensorflow_files import OBJECT_STORES, gfile, list_names, request

# The size of the chunks in which a file is read.
_CHUNK_BYTES = 1 << 26


@dataclass(frozen=True)
class Stat:
    """Information about a file.

    Attributes:
        st_size: Its size in bytes.
    """

    st_size: int


@total_ordering
class RemotePath:
    """A file or folder at a URL such as `s3://bucket/folder`, as a path.

    Each method sends requests to the storage, and retries if it does not answer. A
    folder exists if there is something in it.

    Args:
        url: The URL.
    """

    def __init__(self, url: str) -> None:
        self.scheme, _, rest = url.partition("://")
        self.host, _, path = rest.partition("/")
        path = posixpath.normpath(path)
        self._path = "" if path == "." else path.lstrip("/")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self._path}"

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __lt__(self, other: "RemotePath") -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, name: str | Path) -> "RemotePath":
        return RemotePath(f"{str(self).rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self._path) or self.host

    @property
    def suffix(self) -> str:
        """The suffix of the name, from its last dot."""
        return Path(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        """The folder that it is in."""
        root = f"{self.scheme}://{self.host}/"
        return RemotePath(root + posixpath.dirname(self._path))

    def with_name(self, name: str) -> "RemotePath":
        """A path with another name in the same folder."""
        return self.parent / name

    def is_below(self, folder: "RemotePath") -> bool:
        """Whether the path is a folder, or anything in it."""
        return f"{self}/".startswith(f"{str(folder).rstrip('/')}/")

    def relative_to(self, folder: "RemotePath") -> str:
        """The path relative to a folder that it is in."""
        return str(self).removeprefix(f"{str(folder).rstrip('/')}/")

    def absolute(self) -> "RemotePath":
        """Itself."""
        return self

    def resolve(self) -> "RemotePath":
        """Itself."""
        return self

    @property
    def is_in_object_store(self) -> bool:
        """Whether files are written in one piece, and there are no folders."""
        return self.scheme in OBJECT_STORES

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether there is a file."""
        return request(str(self), self._is_file)

    def _is_file(self) -> bool:
        import tensorflow as tf

        if not self.is_in_object_store:
            files = gfile(str(self))
            return bool(files.exists(str(self)) and not files.isdir(str(self)))
        # If the storage does not answer, `exists` returns that there is no file.
        try:
            self._read(0, 1)
        except tf.errors.NotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether there is a folder with something in it."""
        return any(True for _ in self.iterdir())

    def iterdir(self) -> Iterator["RemotePath"]:
        """Lists the content of the folder, sorted by name."""
        names = request(str(self), lambda: self._list())
        return (self / name for name in sorted(set(filter(None, names))))

    def _list(self) -> list[str]:
        if self.is_in_object_store or gfile(str(self)).isdir(str(self)):
            return list_names(f"{str(self).rstrip('/')}/")
        return []

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """Finds paths that match a pattern, such as `folder/*.csv`, but not `**`."""
        first, _, rest = pattern.strip("/").partition("/")
        if not set(first) & set("*?["):
            found = iter([self / first] if rest or (self / first).exists() else [])
        else:
            names = self.iterdir()
            found = (one for one in names if fnmatch.fnmatchcase(one.name, first))
        for one in found:
            if rest:
                yield from one.glob(rest)
            else:
                yield one

    def files(self) -> Iterator["RemotePath"]:
        """All files in the folder and below."""
        for path in self.iterdir():
            inside = list(path.files())
            if inside:
                yield from inside
            elif self.is_in_object_store or path.is_file():
                yield path

    def stat(self) -> Stat:
        """The size of the file."""
        return Stat(request(str(self), self._size))

    def _size(self) -> int:
        import tensorflow as tf

        try:
            return int(gfile(str(self)).stat(str(self)).length)
        except tf.errors.NotFoundError:
            self._refute_not_found()
            raise

    def _refute_not_found(self) -> None:
        """Raises another error if a file that was not found exists.

        In that case the storage did not answer; TensorFlow does not always distinguish
        the two.
        """
        import tensorflow as tf

        if self._is_file():
            raise tf.errors.UnavailableError(None, None, "no answer") from None

    def open(
        self,
        mode: str = "r",
        *,
        encoding: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Opens the file to read it.

        Args:
            mode: `"r"` or `"rb"`.
            encoding: Of the text.
            newline: As Python's `open` takes it.
        """
        file = io.BufferedReader(_RemoteFile(self))
        return file if mode == "rb" else io.TextIOWrapper(file, encoding, None, newline)

    def _read(self, start: int, size: int) -> bytes:
        with gfile(str(self)).GFile(str(self), "rb") as file:
            file.seek(start)
            return bytes(file.read(size))

    def read_bytes(self) -> bytes:
        """Reads the file."""
        with self.open("rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Reads the file as text."""
        return self.read_bytes().decode(encoding, errors)

    def download(self, to: Path) -> None:
        """Copies the file to a local one."""
        to.parent.mkdir(parents=True, exist_ok=True)
        request(str(self), lambda: self._download(to))

    def _download(self, to: Path) -> None:
        import tensorflow as tf

        size = self._size()
        try:
            with to.open("wb") as file:
                for start in range(0, size, _CHUNK_BYTES):
                    file.write(self._read_chunk(start, size))
        except tf.errors.NotFoundError:
            self._refute_not_found()
            raise

    def _read_chunk(self, start: int, size: int) -> bytes:
        """Reads a chunk with one request, where `tf.io.gfile` would make hundreds."""
        import tensorflow as tf

        end = min(start + _CHUNK_BYTES, size)
        (chunk,) = tf.data.FixedLengthRecordDataset(
            str(self), end - start, start, size - end, buffer_size=end - start
        )
        return bytes(chunk.numpy())

    def upload(self, file: Path) -> None:
        """Uploads a local file atomically."""
        request(str(self), lambda: self._upload(file))

    def _upload(self, file: Path) -> None:
        files = gfile(str(self))
        target = self
        if not self.is_in_object_store:
            target = self.with_name(f".{self.name}.partial")
            files.makedirs(str(self.parent))
        with files.GFile(str(target), "wb") as written, file.open("rb") as read:
            written.write(b"")  # otherwise an empty file would not be created
            while chunk := read.read(_CHUNK_BYTES):
                written.write(chunk)
        if target != self:
            files.rename(str(target), str(self), overwrite=True)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the file."""
        try:
            request(str(self), lambda: gfile(str(self)).remove(str(self)))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_empty_folders(self) -> None:
        """Removes an empty folder, if the file system has folders."""
        if not self.is_in_object_store and gfile(str(self)).isdir(str(self)):
            request(str(self), lambda: gfile(str(self)).rmtree(str(self)))


class _RemoteFile(io.RawIOBase):
    """A remote file that is open for reading; failed requests are retried."""

    def __init__(self, path: RemotePath) -> None:
        super().__init__()
        self._path = path
        self._place = 0
        self._open: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            self._place, self._open = offset, None
        elif whence != io.SEEK_CUR or offset:
            raise io.UnsupportedOperation("only places from the beginning are known")
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = request(str(self._path), lambda: self._read(len(buffer)))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        file, self._open = self._open, None
        if file is None:
            file = gfile(str(self._path)).GFile(str(self._path), "rb")
            file.seek(self._place)
        data = bytes(file.read(size))
        self._open = file  # it is reopened after an error
        return data
