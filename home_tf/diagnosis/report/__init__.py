"""The report of a diagnosis: one HTML file, and its plots.

The names are loaded on first use: the pictures for TensorBoard need no Jinja2.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from home_tf.extras import extra

if TYPE_CHECKING:
    from home_tf.diagnosis.report.page import write_report as write_report
    from home_tf.diagnosis.report.plots import side_by_side as side_by_side

_MODULES = {"side_by_side": "plots", "write_report": "page"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra("report"):
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
