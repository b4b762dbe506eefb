"""Heat maps of gates as pictures for TensorBoard."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.extras import extra

with extra("report"):
    from home_tf.diagnosis.report.gate_grids import LAST, gate_grids
    from home_tf.diagnosis.report.heat_map import Grid, shares

# The size of a cell and of the gap between two cells, in pixels.
_CELL, _GAP = 16, 1
_BLANK = 255


def gate_pictures(figures: Mapping[str, Any]) -> dict[str, npt.NDArray[np.uint8]]:
    """Draws how much each gate takes from each expert, as a grid of cells.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        `{name: (height, width, 3)}`: `gates/weights` and `gates/contributions` of the
        gates of the tasks, a row for each task and a column for each expert, from 0
        (dark) to 1 (light); `gates/weights/meta` and so on for the earlier levels.
    """
    return {
        f"gates/{figure}" if level == LAST else f"gates/{figure}/{level}": _paint(grid)
        for figure in ("weights", "contributions")
        for level, grid in gate_grids(figures, figure).items()
    }


def _paint(grid: Grid) -> npt.NDArray[np.uint8]:
    seen = np.isfinite(grid.values)
    colours = shares().paint(np.where(seen, grid.values, 0.0))[..., :3]
    cells = np.where(seen[..., None], (255 * colours).round(), _BLANK).astype(np.uint8)
    picture = cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    for gap in range(_GAP):
        picture[gap::_CELL] = _BLANK
        picture[:, gap::_CELL] = _BLANK
    return picture
