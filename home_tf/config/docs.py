"""Generates the tables of the configuration reference.

    python -m home_tf.config.docs docs/reference/config.md

Keys, defaults and meanings come from the constructors and their docstrings. A table
is written between the markers `<!-- keys: NAME -->` and `<!-- end of keys -->`; the
rest of the page is written by hand.
"""

import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from home_tf.config.architecture import ARCHITECTURES
from home_tf.config.candidates_config import CandidatesConfig
from home_tf.config.column_config import ColumnConfig
from home_tf.config.data_config import DataConfig
from home_tf.config.evaluation_config import EvaluationConfig
from home_tf.config.files_config import FilesConfig
from home_tf.config.history_config import HistoryConfig
from home_tf.config.history_list_config import HistoryListConfig
from home_tf.config.keys import Key, keys_of
from home_tf.config.model_config import ModelConfig
from home_tf.config.schema import FEATURES
from home_tf.config.score_config import ScoreConfig
from home_tf.config.serving_config import ServingConfig
from home_tf.config.split_config import SplitConfig
from home_tf.config.table_config import TableConfig
from home_tf.config.training_config import TrainingConfig
from home_tf.data import Task, TaskSpace
from home_tf.layers import Expert

SECTIONS: dict[str, Any] = {
    **{f"features, type: {name}": kind for name, kind in FEATURES.items()},
    "tasks": Task,
    "tasks.space": TaskSpace,
    "evaluation": EvaluationConfig,
    "model": ModelConfig,
    **{f"model.architecture, type: {n}": kind for n, kind in ARCHITECTURES.items()},
    "model.architecture.expert": Expert,
    "training": TrainingConfig,
    "serving": ServingConfig,
    "serving.candidates": CandidatesConfig,
    "serving.score": ScoreConfig,
    "data": DataConfig,
    "data.history_log": FilesConfig,
    "data.tables": TableConfig,
    "data.columns": ColumnConfig,
    "data.split": SplitConfig,
    "data.history": HistoryConfig,
    "data.history_lists": HistoryListConfig,
}
_TABLE = re.compile(r"(<!-- keys: (.*?) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def write_tables(page: str) -> str:
    """Returns the page with its tables generated from the constructors.

    Args:
        page: Its text.

    Raises:
        KeyError: If a marker names no section.
    """
    return _TABLE.sub(
        lambda found: found[1] + make_table(SECTIONS[found[2]]) + found[3], page
    )


def make_table(constructor: Any) -> str:
    """Makes the table of a section's keys: name, default and meaning."""
    meanings = meanings_of(constructor)
    rows = [
        f"| `{name}` | {_show_default(constructor, key)} | {meanings[name]} |"
        for name, key in keys_of(constructor).items()
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def meanings_of(constructor: Any) -> dict[str, str]:
    """Reads the description of each argument from a class's docstring."""
    text = inspect.getdoc(constructor) or ""
    part = re.search(r"^(?:Args|Attributes):\n((?: .*\n?|\n)*)", text, re.MULTILINE)
    entries = re.findall(
        r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", part[1] if part else "", re.MULTILINE
    )
    return {name: " ".join(meaning.split()) for name, meaning in entries}


def _show_default(constructor: Any, key: Key) -> str:
    default = key.default
    if key.required:  # an expert has the keys of the architecture's default
        return "" if constructor is Expert else "required"
    if default is None or is_dataclass(default) or default == {}:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, (list, tuple)):
        return f"`{list(default)}`"
    return f"`{default}`" if isinstance(default, str) else f"{default:g}"


def main(path: str) -> None:
    """Regenerates the tables of a page."""
    page = Path(path)
    page.write_text(write_tables(page.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
