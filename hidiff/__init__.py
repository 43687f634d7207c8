"""hidiff: years of realistic half-hourly load and PV for individual homes."""

from typing import TYPE_CHECKING, Any

from hidiff.data.traces import Traces

if TYPE_CHECKING:
    from hidiff.diffusion.hierarchy import HiDiff, load

__version__ = "0.1.0"
__all__ = ["HiDiff", "Traces", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Bring the generator in on first use, so that ``import hidiff`` does not load torch."""
    if name in ("HiDiff", "load"):
        from hidiff.diffusion import hierarchy

        return getattr(hierarchy, name)
    raise AttributeError(f"module 'hidiff' has no attribute {name!r}")
