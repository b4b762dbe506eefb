"""Named changes to the configuration for models of a comparison."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from home_tf.config import Config, override_config
from home_tf.errors import HomeError

# `{name: {dotted key: value}}`, as `home_tf.config.load_config` takes overrides.
Changes: TypeAlias = Mapping[str, Mapping[str, Any]]

# The sections that a change may modify: all models have the same rows and tasks.
_SECTIONS = ("features", "model", "training")
# What joins names, and what a file system may refuse, is in no name.
_NAME = re.compile(r"[\w.-]+", re.ASCII)


def check_changes(config: Config, changes: Mapping[Any, Any]) -> None:
    """Checks the changes to a configuration.

    Args:
        config: The configuration.
        changes: The changes, as a user gave them.

    Raises:
        HomeError: If a name has other characters than letters, digits, `_`, `.` and
            `-`, a change is no mapping of dotted keys, or it sets what is not there,
            may not be changed, or is wrong.
    """
    for name, change in changes.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise HomeError(
                "the name of a change must consist of letters, digits, `_`, `.` and "
                f"`-`. Received: {name!r}"
            )
        if (
            not isinstance(change, Mapping)
            or not change
            or not all(isinstance(key, str) for key in change)
        ):
            raise HomeError(
                f"the change {name!r} must be a mapping of dotted keys, such as "
                f"`training.epochs: 3`. Received: {change!r}"
            )
        for key in change:
            if key.split(".")[0] not in _SECTIONS:
                raise HomeError(
                    f"the change {name!r} sets `{key}`. A change may set keys of "
                    f"{', '.join(_SECTIONS)}: all models have the same rows and tasks"
                )
        try:
            override_config(config, change)
        except HomeError as error:
            raise HomeError(f"the change {name!r}: {error}") from None
