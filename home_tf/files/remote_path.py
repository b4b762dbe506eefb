"""The path of a remote file, with the methods of `pathlib.Path` that are needed."""

import fnmatch
import io
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering
from pathlib import Path
from typing import IO, Any

from home_tf.files.tensorflow_files import OBJECT_STORES, gfile, list_names, request

# How much of a file is in memory at once.
_CHUNK_BYTES = 1 << 26


@dataclass(frozen=True)
class Stat:
    """What is known of a file.

    Attributes:
        st_size: Its size in bytes.
    """

    st_size: int


@total_ordering
class RemotePath:
    """A file or folder at a URL such as `s3://bucket/folder`, as a path.

    Each method asks the storage, several times if it does not answer. A folder is there
    if something is in it.

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
        """The end of the name from its last dot on."""
        return Path(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        """The folder that it is in."""
        root = f"{self.scheme}://{self.host}/"
        return RemotePath(root + posixpath.dirname(self._path))

    def with_name(self, name: str) -> "RemotePath":
        """A file of another name beside it."""
        return self.parent / name

    def is_below(self, folder: "RemotePath") -> bool:
        """Whether it is a folder, or anything in it."""
        return f"{self}/".startswith(f"{str(folder).rstrip('/')}/")

    def relative_to(self, folder: "RemotePath") -> str:
        """The path from a folder that it is in."""
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
        # `exists` says of a storage that does not answer that there is no file.
        try:
            self._read(0, 1)
        except tf.errors.NotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether there is a folder with something in it."""
        return any(True for _ in self.iterdir())

    def iterdir(self) -> Iterator["RemotePath"]:
        """What is in the folder, in the order of the names."""
        names = request(str(self), lambda: self._list())
        return (self / name for name in sorted(set(filter(None, names))))

    def _list(self) -> list[str]:
        if self.is_in_object_store or gfile(str(self)).isdir(str(self)):
            return list_names(f"{str(self).rstrip('/')}/")
        return []

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """What fits a pattern, such as `folder/*.csv`; `**` is not known."""
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
        """Raises another error if a file that was not found is there.

        The storage did not answer; TensorFlow does not tell the two apart everywhere.
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
        """What the file holds."""
        with self.open("rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """What the file holds, as text."""
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
        """Reads a chunk by one request: `tf.io.gfile` makes hundreds of it."""
        import tensorflow as tf

        end = min(start + _CHUNK_BYTES, size)
        (chunk,) = tf.data.FixedLengthRecordDataset(
            str(self), end - start, start, size - end, buffer_size=end - start
        )
        return bytes(chunk.numpy())

    def upload(self, file: Path) -> None:
        """Copies a local file to this place, where it appears whole or not at all."""
        request(str(self), lambda: self._upload(file))

    def _upload(self, file: Path) -> None:
        files = gfile(str(self))
        target = self
        if not self.is_in_object_store:
            target = self.with_name(f".{self.name}.partial")
            files.makedirs(str(self.parent))
        with files.GFile(str(target), "wb") as written, file.open("rb") as read:
            written.write(b"")  # else there is no file if there are no bytes
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
        """Removes the folder, where a file system has folders; no file may be in it."""
        if not self.is_in_object_store and gfile(str(self)).isdir(str(self)):
            request(str(self), lambda: gfile(str(self)).rmtree(str(self)))


class _RemoteFile(io.RawIOBase):
    """A remote file that is open to read; a request that fails is made again."""

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
        self._open = file  # after an error it is opened again
        return data
