"""A trained run and its export."""

from support.trained import checked_here, loaded, trained

__all__ = ["checked_here", "loaded", "trained"]
