"""Bridges to outside packages, one a file; each package is imported only when its bridge is used."""

from .require import require

__all__ = ["require"]
