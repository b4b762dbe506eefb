"""Re-initialising the embedding tables between epochs (multi-epoch training)."""

import hashlib
from typing import Any


def reset_embeddings(model: Any, *, seed: int, epoch: int) -> None:
    """Re-initialises a model's embedding tables and their moments in the optimizer.

    A second epoch over-fits ids that appear in only a few rows, because the tables
    memorise these rows. New tables force the rest of the network, which keeps its
    weights, to rely on what holds for all ids.

    Args:
        model: A ranking model of this package, its optimizer built.
        seed: The training's seed.
        epoch: The epoch that begins. The values depend only on it and on the seed.

    References:
        MEDA: Fan et al., "Multi-Epoch Learning with Data Augmentation for Deep
        Click-Through Rate Prediction" (arXiv 2407.01607), the non-continual form.
    """
    for name, stack in model.network.features.stacks.items():
        digest = hashlib.sha256(f"{seed}/{epoch}/{name}".encode()).digest()
        stack.reinitialize(int.from_bytes(digest[:4], "little") % 2**31)
        model.optimizer.reset_moments(stack.embeddings)
