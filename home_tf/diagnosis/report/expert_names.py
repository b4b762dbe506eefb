"""How a report names experts, and the colours of their owners."""

from collections.abc import Iterable, Sequence

from home_tf.report.style import BLUE, GREEN, ORANGE, shorten

OWNERS = {"shared": BLUE, "group": ORANGE, "task": GREEN}


def names_by_level(names: Sequence[str]) -> dict[str, list[str]]:
    """Groups names such as `meta/shared` by the part before the first slash."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("/")[0], []).append(name)
    return found


def without_level(names: Iterable[str]) -> dict[str, str]:
    """Removes the common level from names, and shortens them."""
    names = list(names)
    levels = {name.partition("/")[0] for name in names}
    cut = len(next(iter(levels))) + 1 if len(levels) == 1 else 0
    # `shared/0` and `shared/1` are the names of a single level.
    cut = cut if all(name.count("/") > 1 for name in names) else 0
    return {name: shorten(name[cut:]) for name in names}
