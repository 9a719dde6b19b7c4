"""A page of the browser that is watched: what it asks for, what it complains about, and whether it still waits."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = float(os.environ.get("HER2_PAGE_PATIENCE_S", "240"))
"""A busy machine compiles the engine for minutes; what is tested is what appears, not when."""


class Watched:
    """A page with everything it asked for and complained about.

    Attributes
    ----------
    requests : addresses asked for
    problems : errors of the console and of scripts
    """

    def __init__(self, browser: Any, base: str, *, bypass_csp: bool = False) -> None:
        self.base = base
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=bypass_csp)
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))

    def open(self, path: str) -> Any:
        """The page at a path, once nothing on it waits any more."""
        self.page.goto(self.base + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Until the view stands and nothing on it is being loaded."""
        self.page.locator("main h1").wait_for()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.page.locator("main .wait").count() == 0:
                self.page.wait_for_timeout(150)
                if self.page.locator("main .wait").count() == 0:
                    return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{self.page.url} still waits")
