"""An input that several layers read, multiplied by all their kernels at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from home_tf.backend import ops
from home_tf.types import Tensor, Weight


@dataclass(frozen=True, eq=False)
class LinearMap:
    """`x W + b`.

    Attributes:
        kernel: `W`, `(features, columns)`.
        bias: `b`, `(columns,)`, or None.
        parts: The number of equal parts into which the product's columns are split.
    """

    kernel: Weight
    bias: Weight | None = None
    parts: int = 1

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.kernel.shape[-1])


class SharedInput:
    """An input `(batch, features)` and its products with the maps that read it.

    Attributes:
        tensor: The input.
    """

    def __init__(
        self, tensor: Tensor, products: Sequence[tuple[LinearMap, list[Tensor]]]
    ) -> None:
        self.tensor = tensor
        self._products = products

    def product(self, linear_map: LinearMap) -> list[Tensor] | None:
        """The parts of the product with a map, if it is one of those that read it."""
        for one, parts in self._products:
            if one.kernel is linear_map.kernel:
                return parts
        return None


def share_input(x: Tensor, maps: Sequence[LinearMap]) -> SharedInput:
    """Multiplies an input by several kernels in one product.

    A narrow product takes longer than the same columns as part of a wider one, and it
    adds a separate gradient for the whole input.

    Args:
        x: `(batch, features)`.
        maps: The maps that read it, at least one.

    Returns:
        The input, from which `linear` takes the products of these maps.
    """
    kernels = [ops.convert_to_tensor(one.kernel) for one in maps]
    product = ops.matmul(x, _joined(kernels))
    if any(one.bias is not None for one in maps):
        biases = [
            ops.convert_to_tensor(
                np.zeros(one.columns) if one.bias is None else one.bias, product.dtype
            )
            for one in maps
        ]
        product = ops.add(product, _joined(biases))
    widths = [one.columns // one.parts for one in maps for _ in range(one.parts)]
    parts = iter(split_columns(product, widths))
    products = [(one, [next(parts) for _ in range(one.parts)]) for one in maps]
    return SharedInput(x, products)


def linear(x: Tensor | SharedInput, linear_map: LinearMap) -> list[Tensor]:
    """The parts of `x W + b`, `(batch, columns / parts)` each."""
    if isinstance(x, SharedInput):
        found = x.product(linear_map)
        if found is not None:
            return found
        x = x.tensor
    product = ops.matmul(x, linear_map.kernel)
    if linear_map.bias is not None:
        product = ops.add(product, linear_map.bias)
    width = linear_map.columns // linear_map.parts
    return split_columns(product, [width] * linear_map.parts)


def tensor_of(x: Tensor | SharedInput) -> Tensor:
    """The input itself, `(batch, features)`."""
    return x.tensor if isinstance(x, SharedInput) else x


def split_columns(x: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Splits the last axis of a tensor or variable into parts of the given widths."""
    if len(widths) == 1:
        return [x]
    # Equal parts are one operation of the graph, others are several.
    where: int | list[int] = len(widths)
    if len(set(widths)) > 1:
        where = [sum(widths[: i + 1]) for i in range(len(widths) - 1)]
    parts: list[Tensor] = ops.split(ops.convert_to_tensor(x), where, axis=-1)
    return parts


def _joined(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
