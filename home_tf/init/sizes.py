"""Choosing the size of model and training for a number of rows."""

from collections.abc import Sequence
from typing import Any

from home_tf.init.labels import Label

# Each entry: up to this many rows of the log, the sizes next to it.
_EXPERTS = {20_000: [32], 2_000_000: [64, 32], 10**12: [128, 64]}
_RANKS = {20_000: 8, 2_000_000: 16, 10**12: 32}
_BATCHES = {20_000: 128, 100_000: 512, 5_000_000: 1024, 10**12: 4096}
_EPOCHS = {20_000: 10, 200_000: 6, 5_000_000: 3, 10**12: 1}
# With this many ones in a tenth of the rows, the AUC is good enough to select an epoch.
_LEAST_ONES = 100


def model_for(rows: int) -> dict[str, Any]:
    """The section `model` for a number of rows."""
    return {
        "architecture": {
            "type": "home",
            "expert": {"units": _of(_EXPERTS, rows)},
            "lora_rank": _of(_RANKS, rows),
        },
        "tower_units": [16],
    }


def training_for(rows: int, labels: Sequence[Label]) -> dict[str, Any]:
    """The section `training` for a number of rows."""
    epochs = _of(_EPOCHS, rows)
    training = {
        "framework": "tfrs",
        "epochs": epochs,
        "patience": 2 if epochs > 3 else 1,
        "batch_size": _of(_BATCHES, rows),
        "learning_rate": 0.002,
    }
    frequent = [one.name for one in labels if 0.1 * one.ones >= _LEAST_ONES]
    if 0 < len(frequent) < len(labels):
        training["monitor_tasks"] = frequent
    return training


def _of(sizes: dict[int, Any], rows: int) -> Any:
    return next(size for most, size in sizes.items() if rows <= most)
