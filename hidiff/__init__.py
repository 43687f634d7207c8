"""hidiff: years of realistic half-hourly load and PV for individual homes."""

import importlib
from typing import TYPE_CHECKING, Any

from hidiff.data.traces import Traces

if TYPE_CHECKING:
    from hidiff.data.stored import StoredTraces
    from hidiff.data.stored import open_stored as open
    from hidiff.diffusion.hierarchy import HiDiff, load

__version__ = "0.1.0"
__all__ = ["HiDiff", "StoredTraces", "Traces", "__version__", "load", "open"]

LAZY = {
    "HiDiff": ("hidiff.diffusion.hierarchy", "HiDiff"),
    "StoredTraces": ("hidiff.data.stored", "StoredTraces"),
    "load": ("hidiff.diffusion.hierarchy", "load"),
    "open": ("hidiff.data.stored", "open_stored"),
}
"""Public names that are brought in on first use, so that ``import hidiff`` does not load torch."""


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'hidiff' has no attribute {name!r}")
    module, attribute = LAZY[name]
    return getattr(importlib.import_module(module), attribute)
