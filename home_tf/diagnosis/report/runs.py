"""The runs of a report, and how it names them."""

from collections.abc import Mapping
from typing import Any

# `{name of the run: what diagnose_run returns}`
Runs = Mapping[str, Mapping[str, Any]]


def titled(runs: Runs, run: str, title: str) -> str:
    """A title that names the run if there are several."""
    return f"{run}: {title}" if len(runs) > 1 else title[:1].upper() + title[1:]


def named(runs: Runs, run: str, name: str) -> str:
    """The name of a plot of a run, made safe as a file name."""
    if len(runs) == 1:
        return name
    plain = "".join(c if c.isalnum() and c.isascii() else "-" for c in run)
    return f"{name}-{list(runs).index(run) + 1}-{plain[:40]}"


def architecture_of(one: Mapping[str, Any]) -> str:
    """The name of a diagnosed run's architecture, such as HoME."""
    # Imported here: the pictures for TensorBoard do not need the configuration.
    from home_tf.config import ARCHITECTURES

    kind = one["architecture"]
    return ARCHITECTURES[kind].__name__ if kind in ARCHITECTURES else str(kind)
