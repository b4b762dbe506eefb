"""The folder of a description: `description.json`, `report.html` and its plots."""

from dataclasses import asdict

from home_tf.description.concerns import find_concerns
from home_tf.description.description import Description
from home_tf.errors import HomeError
from home_tf.extras import extra
from home_tf.files import AnyPath, atomic_directory, write_json

with extra("report"):
    from home_tf.description.report.page import write_report

FORMAT = "home_tf.description"
VERSION = 1
_FILE = "description.json"


def save_description(description: Description, folder: AnyPath) -> None:
    """Writes the folder of a description atomically.

    Args:
        description: What `describe` returns.
        folder: New, empty, or of an earlier description.

    Raises:
        HomeError: If the folder holds anything else, or cannot be written.
    """
    content = {"format": FORMAT, "version": VERSION, **asdict(description)}
    content["needs_attention"] = find_concerns(description)
    with atomic_directory(folder, replaceable=_is_description, marker=_FILE) as aside:
        write_json(aside / _FILE, content)
        write_report(description, aside)


def check_folder(folder: AnyPath) -> None:
    """Checks that a path is meant as a folder, not as the page in it.

    Raises:
        HomeError: If its name looks like that of a page.
    """
    if folder.suffix.lower() in (".html", ".htm"):
        raise HomeError(
            "`--out` must be a folder; report.html is written into it. Received: "
            f"{folder}"
        )


def _is_description(folder: AnyPath) -> bool:
    return (folder / _FILE).is_file()
