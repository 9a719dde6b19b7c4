"""One cell in one condition: receptors, pathways and phenotype under drugs, ligands and switches.

The module can be called: `her2.cell("BT474")` is the cell line BT-474. Importing any part of this package makes
`her2.cell` the package itself, so that the short name and the package have to be one object.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from her2.cell.cell import Cell


class _CallableModule(ModuleType):
    """This package, callable as the function that loads a cell."""

    def __call__(self, name: str = "reference") -> Cell:
        """A cell line by name, or a cell of your own by the path of its file; see `her2.cell.cell.load_cell`."""
        from her2.cell.cell import load_cell

        return load_cell(name)


sys.modules[__name__].__class__ = _CallableModule
