"""The built front end: files with caching headers, compressed once, and one page for every address of the views."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from fastapi import Request
from fastapi.responses import Response

from her2.web.problems import Refused

EMPTY = b'<script type="application/json" id="first"></script>'
"""Where the page has room for what its first screen shows; data, which no policy takes for a script."""
FOREVER = "public, max-age=31536000, immutable"
COMPRESSED = (
    "text/",
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "application/manifest+json",
)
_KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
          ".html": "text/html", ".json": "application/json", ".woff2": "font/woff2", ".webmanifest":
          "application/manifest+json", ".ico": "image/x-icon", ".png": "image/png", ".txt": "text/plain"}  # fmt: skip


@dataclass(frozen=True)
class Asset:
    """A file in memory."""

    content: bytes
    zipped: bytes | None
    kind: str
    tag: str
    changed: tuple[int, int]


class StaticFiles:
    """Serves a folder; a file that changes on the disk is read again.

    Parameters
    ----------
    first : JSON of the first screen, which goes along with the page at `/`
    """

    def __init__(self, folder: Path, first: Callable[[], bytes] = bytes) -> None:
        self.folder, self._first = folder.resolve(), first
        self._kept: dict[str, Asset] = {}
        self._lock = Lock()

    def answer(self, request: Request, path: str) -> Response:
        """The file of a path, or the page itself where the path is one of its views.

        Raises
        ------
        her2.web.problems.Refused
            No such file, or no front end in this installation.
        """
        asset = self._find(path) if path else None
        if asset is None:
            last = path.rsplit("/", 1)[-1]
            if "." in last or "/." in f"/{path}" or path.startswith(("api/", "assets/")):
                raise Refused(404, f"/{path[:200]}: there is nothing here")
            is_first, path = not path, "index.html"
            asset = self._find(path)
            if asset is None:
                raise Refused(
                    404,
                    "this installation has no page (her2/web/static is empty); the operations under /api work",
                )
            if is_first:
                asset = self._with_first(asset)
        headers = {
            "ETag": f'"{asset.tag}"', "Vary": "Accept-Encoding",
            "Cache-Control": FOREVER if path.startswith("assets/") else "no-cache",
        }  # fmt: skip
        asked = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
        if headers["ETag"] in asked:
            return Response(status_code=304, headers=headers)
        content = asset.content
        if asset.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            content = asset.zipped
            headers["Content-Encoding"] = "gzip"
        kind = f"{asset.kind}; charset=utf-8" if asset.kind.startswith("text/") else asset.kind
        return Response(content, headers=headers, media_type=kind)

    def _find(self, path: str) -> Asset | None:
        """A file below the folder; nothing that leads out of it, nothing hidden."""
        if "\x00" in path or "\\" in path or any(p.startswith(".") for p in path.split("/")):
            return None
        target = (self.folder / path).resolve()
        if not target.is_relative_to(self.folder) or not target.is_file():
            return None
        status = target.stat()
        changed = (status.st_mtime_ns, status.st_size)
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None and kept.changed == changed:
            return kept
        content = target.read_bytes()
        kind = _KINDS.get(target.suffix) or mimetypes.guess_type(target.name)[0] or "application/octet-stream"
        asset = _asset(content, kind, changed)
        with self._lock:
            self._kept[path] = asset
        return asset

    def _with_first(self, page: Asset) -> Asset:
        """The page with its first screen in it, made once for each version of the page."""
        with self._lock:
            kept = self._kept.get("")
        if kept is not None and kept.changed == page.changed:
            return kept
        filled = EMPTY.replace(b"></", b">" + self._first() + b"</")
        asset = _asset(page.content.replace(EMPTY, filled), page.kind, page.changed)
        with self._lock:
            self._kept[""] = asset
        return asset


def _asset(content: bytes, kind: str, changed: tuple[int, int]) -> Asset:
    is_text = kind.startswith(COMPRESSED) and len(content) > 500
    zipped = gzip.compress(content, 9, mtime=0) if is_text else None
    return Asset(content, zipped, kind, hashlib.blake2b(content, digest_size=12).hexdigest(), changed)
