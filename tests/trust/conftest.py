"""The scripts under `trust/` are no package: their folder is looked at last, as some have names of the standard library."""

from __future__ import annotations

import sys
from pathlib import Path

TRUST = Path(__file__).resolve().parent.parent.parent / "trust"
if str(TRUST) not in sys.path:
    sys.path.append(str(TRUST))
