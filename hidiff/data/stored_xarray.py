"""Channels of a stored set as lazy xarray arrays: only what is indexed is read, and dask is not needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

if TYPE_CHECKING:
    from .stored import StoredTraces


def lazy_channel(stored: StoredTraces, column: str) -> indexing.LazilyIndexedArray:
    """One column as an array ``(home, time)`` that xarray reads when its values are asked for."""
    return indexing.LazilyIndexedArray(StoredChannel(stored, column))


class StoredChannel(BackendArray):
    """What xarray asks for values: homes by position, and the span of steps that they are wanted for."""

    def __init__(self, stored: StoredTraces, column: str) -> None:
        self.stored = stored
        self.column = column
        self.shape = (len(stored), len(stored.time))
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[np.float32]:
        values = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return np.asarray(values)

    def _read(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        """Values at an outer index: each part an integer, a slice, or an array of positions."""
        rows, steps = (np.arange(size)[part] for size, part in zip(self.shape, key, strict=True))
        shape = rows.shape + steps.shape
        if not rows.size or not steps.size:
            return np.empty(shape, dtype=self.dtype)
        first, last = int(steps.min()), int(steps.max())
        part = replace(self.stored, time=self.stored.time[first : last + 1])
        names = self.stored.names
        homes = [part.read_home(names[row], [self.column])[0][steps - first] for row in np.atleast_1d(rows)]
        return np.stack(homes).reshape(shape)
