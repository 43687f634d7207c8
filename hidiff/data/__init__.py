"""Household data: the container, the readers, the calendar and the weather."""

from .traces import Traces

__all__ = ["Traces"]
