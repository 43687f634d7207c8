"""Errors that a caller would act on differently; everything else is a ``ValueError`` at the door."""


class HidiffError(Exception):
    """Base of the package's own errors."""


class DataFormatError(HidiffError, ValueError):
    """A file or table does not have the form that its reader needs."""


class CheckpointError(HidiffError):
    """A model directory is missing a part, is damaged, or was changed after it was written."""


class DependencyMissing(HidiffError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""


class InfeasibleError(HidiffError):
    """An optimisation problem has no solution; the message says which limits collide."""


class NotConverged(HidiffError):
    """A solver or a training run stopped before it reached what was asked."""
