"""Call something that may be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def attempt(
    refusal: type[Exception], call: Callable[..., Any], *arguments: Any
) -> tuple[Any, Exception | None]:
    """What a call gives and nothing, or nothing and the refusal; any other exception passes."""
    try:
        return call(*arguments), None
    except refusal as error:
        return None, error
