"""Weighted sums of experts, for several gates at once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from home_tf.backend import ops
from home_tf.types import Tensor


@dataclass(frozen=True, eq=False)
class Term:
    """`sum_k w_k E_k` over some experts, for several gates: a part of eq. 3.

    Attributes:
        weights: `(batch, gates, n)`.
        experts: The experts that all these gates see, `(batch, n, D)`; or, if `own`,
            those that only one gate sees, `(batch, gates * n, D)`.
        own: Whether every gate has experts of its own.
    """

    weights: Tensor
    experts: Tensor
    own: bool = False


def mix(terms: Iterable[Term]) -> Tensor:
    """Adds up terms: `Sum(w, E)` of eq. 3, `(batch, gates, D)`.

    Experts in several terms, such as those seen by both a gate and a self gate, are
    multiplied once, by the sum of their weights.
    """
    by_experts: dict[tuple[int, bool], Term] = {}
    for term in terms:
        key = (id(term.experts), term.own)
        if key in by_experts:
            weights = by_experts[key].weights + term.weights
            term = replace(term, weights=weights)
        by_experts[key] = term
    first, *others = map(_value, by_experts.values())
    for other in others:
        first = first + other
    return first


def _value(term: Term) -> Tensor:
    if not term.own:
        return ops.matmul(term.weights, term.experts)
    _, gates, number = term.weights.shape
    if number == 1:
        return term.weights * term.experts
    experts = of_each_gate(term.experts, gates)
    return ops.sum(ops.expand_dims(term.weights, -1) * experts, axis=2)


def of_each_gate(experts: Tensor, num_gates: int) -> Tensor:
    """Own experts `(batch, gates * n, D)` as `(batch, gates, n, D)`."""
    _, total, width = experts.shape
    return ops.reshape(experts, (-1, num_gates, total // num_gates, width))
