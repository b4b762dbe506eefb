"""A trained run and its export."""

from support.trained import trained

__all__ = ["trained"]
