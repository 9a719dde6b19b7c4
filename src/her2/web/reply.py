"""Answers as JSON bytes: numbers that are not finite are null, nothing is computed twice."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response


def dump(data: Any) -> bytes:
    """Compact JSON; tuples as lists, numpy numbers as numbers, what is not finite as null."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError):
        text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # half of a surrogate pair that a request held is no text, and must not break the answer that says so
    return text.encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that is not to be kept."""
    return Response(dump(data), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def kept(content: bytes, request: Request, media_type: str = "application/json") -> Response:
    """An answer that changes only with the package: the client asks each time whether it is still the same."""
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    # a compressing proxy or middleware may have weakened the tag
    asked = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if tag in asked:
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, media_type)
