"""A linear programme written down in arrays: whole vectors of variables and rows at a time, no loop over steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from .highs_run import Matrices

Floats = NDArray[np.float64]
Columns = NDArray[np.int32]
"""Places of a vector of variables in the programme."""


class Term(NamedTuple):
    """``coefficient * variable`` in some rows of a block of constraints."""

    columns: Columns
    coefficients: ArrayLike
    rows: NDArray[np.integer] | None = None
    """Row of the block that each entry belongs to; None for the first entry in the first row, and so on."""


class LinearProgramme:
    """``minimise cost @ x + constant``, variables and rows added block by block.

    ::

        programme = LinearProgramme()
        x = programme.variables("x", 3, lower=0, upper=1, cost=[1, 2, 3])
        programme.rows(3, [Term(x, 1.0), Term(x[:-1], -1.0, np.arange(1, 3))], lower=0)   # x[t] >= x[t-1]
    """

    def __init__(self) -> None:
        self.columns: dict[str, Columns] = {}
        self.constant = 0.0
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._cost: list[Floats] = []
        self._is_integer: list[NDArray[np.bool_]] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._entries: list[tuple[NDArray[np.integer], Columns, Floats]] = []
        self._width = self._height = 0

    def variables(
        self,
        name: str,
        count: int,
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        cost: ArrayLike = 0.0,
        is_integer: bool = False,
    ) -> Columns:
        """Add ``count`` variables; bounds and costs are numbers or arrays."""
        self._lower.append(_full(lower, count))
        self._upper.append(_full(upper, count))
        self._cost.append(_full(cost, count))
        self._is_integer.append(np.full(count, is_integer))
        self.columns[name] = np.arange(self._width, self._width + count, dtype=np.int32)
        self._width += count
        return self.columns[name]

    def rows(
        self, count: int, terms: list[Term], *, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf
    ) -> None:
        """Add ``count`` constraints ``lower <= sum of terms <= upper``."""
        for columns, coefficients, rows in terms:
            places = np.arange(len(columns)) if rows is None else rows
            self._entries.append((places + self._height, columns, _full(coefficients, len(columns))))
        self._row_lower.append(_full(lower, count))
        self._row_upper.append(_full(upper, count))
        self._height += count

    def equal(self, count: int, terms: list[Term], right: ArrayLike) -> None:
        """Add ``count`` constraints ``sum of terms == right``."""
        self.rows(count, terms, lower=right, upper=right)

    def matrices(self, like: tuple[LinearProgramme, Matrices] | None = None) -> Matrices:
        """The programme as the solver takes it.

        Args:
            like: a programme and its matrices, whose coefficients are taken where they are the same.
        """
        if like is not None and self._has_coefficients_of(like[0]):
            known = like[1]
            starts, indices, coefficients = known.starts, known.indices, known.coefficients
        else:
            rows, columns, values = (np.concatenate(part) for part in zip(*self._entries, strict=True))
            matrix = csr_matrix((values, (rows, columns)), shape=(self._height, self._width))
            starts, indices, coefficients = matrix.indptr, matrix.indices, matrix.data
        return Matrices(
            cost=np.concatenate(self._cost),
            constant=self.constant,
            lower=np.concatenate(self._lower),
            upper=np.concatenate(self._upper),
            row_lower=np.concatenate(self._row_lower),
            row_upper=np.concatenate(self._row_upper),
            starts=starts,
            indices=indices,
            coefficients=coefficients,
            is_by_column=False,
            is_integer=np.concatenate(self._is_integer),
        )

    def _has_coefficients_of(self, other: LinearProgramme) -> bool:
        sizes = (self._height, self._width, len(self._entries))
        return sizes == (other._height, other._width, len(other._entries)) and all(
            np.array_equal(rows, its_rows)
            and np.array_equal(columns, its_columns)
            and np.array_equal(values, its)
            for (rows, columns, values), (its_rows, its_columns, its) in zip(
                self._entries, other._entries, strict=True
            )
        )

    def split(self, values: Floats) -> dict[str, Floats]:
        """A solution's values by the names of the variables."""
        return {name: values[columns] for name, columns in self.columns.items()}


def _full(values: ArrayLike, count: int) -> Floats:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (count,))
