"""Embedding tables that start anew with an epoch, while the rest trains on."""

import hashlib
from typing import Any


def reset_tables(model: Any, *, seed: int, epoch: int) -> None:
    """Draws the embedding tables of a model anew, and forgets their moments.

    Ids that are seen again are learnt by heart, so that a second epoch makes a model
    worse. Fresh embeddings meet experts and towers that already know how to use them.

    Args:
        model: A ranking model of this package, its optimizer built.
        seed: Of the training.
        epoch: The epoch that begins. The values depend on it and on the seed alone.

    References:
        MEDA: Fan et al., "Multi-Epoch Learning with Data Augmentation for Deep
        Click-Through Rate Prediction" (arXiv 2407.01607), non-continual form.
    """
    for name, stack in model.network.features.stacks.items():
        digest = hashlib.sha256(f"{seed}/{epoch}/{name}".encode()).digest()
        stack.draw_anew(int.from_bytes(digest[:4], "little") % 2**31)
        model.optimizer.forget(stack.embeddings)
