"""Finds the files of a KuaiRand folder."""

from dataclasses import dataclass
from pathlib import Path

from home_tf.errors import HomeError

PUBLISHED_AT = "https://kuairand.com"


@dataclass(frozen=True)
class Source:
    """The files of one KuaiRand data set (Pure, 1K, 27K or synthetic).

    Attributes:
        logs: `log_standard*.csv[.gz]`, at least one, sorted by name.
        users: `user_features_*.csv[.gz]`, at least one.
        videos: `video_features_basic_*.csv[.gz]`, at least one.
        history: `history_impressions*.parquet`, possibly none: impressions that are
            all earlier than the first day of the logs.
    """

    logs: tuple[Path, ...]
    users: tuple[Path, ...]
    videos: tuple[Path, ...]
    history: tuple[Path, ...]

    @classmethod
    def find(cls, folder: str | Path) -> "Source":
        """Finds the files in a folder or in its `data` subfolder.

        Args:
            folder: The folder that KuaiRand was unpacked into.

        Returns:
            The files that were found.

        Raises:
            HomeError: If the folder or one of the kinds of file is missing, or a file
                is there twice, compressed and not.
        """
        # Two kinds of published files stay unread. `log_random*` is another exposure
        # policy. `video_features_statistic*` counts outcomes over the whole period,
        # test days included: as a feature it would leak the future.
        top = Path(folder)
        if not top.is_dir():
            raise HomeError(f"`source` must be a folder. Received: {top}. {_EXPECTED}")
        below = (top / "data").is_dir() and not any(top.glob("log_standard*"))
        data = top / "data" if below else top
        return cls(
            logs=_csv_files(data, "log_standard"),
            users=_csv_files(data, "user_features_"),
            videos=_csv_files(data, "video_features_basic_"),
            history=tuple(sorted(data.glob("history_impressions*.parquet"))),
        )


_EXPECTED = (
    "Expected log_standard*.csv, user_features_*.csv and video_features_basic_*.csv "
    f"(plain or .gz), in it or in its `data` subfolder, as published at {PUBLISHED_AT}"
)


def _csv_files(folder: Path, prefix: str) -> tuple[Path, ...]:
    files = sorted([*folder.glob(f"{prefix}*.csv"), *folder.glob(f"{prefix}*.csv.gz")])
    if not files:
        raise HomeError(f"no {prefix}*.csv[.gz] in {folder}. {_EXPECTED}")
    for file in files:
        if file.with_name(file.name + ".gz") in files:
            raise HomeError(
                f"{file} is there twice, plain and as .gz: its rows would count twice. "
                "Remove one of the two"
            )
    return tuple(files)
