"""The claims of the record as experiments on the model: run, compare, say which it reproduces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from her2.claims.run import ClaimResult, ClaimResults, run_claims

__all__ = ["ClaimResult", "ClaimResults", "run_claims"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from her2.claims import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
