"""Cases of a test of which `make test` runs a few, and `make test-slow` the others."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_except(quick: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """Marks cases as slow.

    Args:
        quick: The cases that are not.
        cases: All cases, or a dictionary of them.

    Returns:
        The cases, for `pytest.mark.parametrize`.
    """
    cases, quick = list(cases), list(quick)
    assert all(case in cases for case in quick), (quick, cases)
    return [
        case if case in quick else pytest.param(case, marks=pytest.mark.slow)
        for case in cases
    ]
