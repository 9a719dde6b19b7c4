"""The page in a real browser on loopback: time to the first chart, slider to picture, bytes of the first view.

    python benchmarks/page.py [--url http://127.0.0.1:8765] [--loads 7] [--moves 60]

Without --url a server is started. The first chart is the Kaplan-Meier picture of the first screen, from the start of
the navigation in a browser without a cache; a slider move is timed from its input event to the frame after the map has
changed; bytes are those that came over the connection, headers included. Prints a table and writes
benchmarks/results_page.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

import her2

CHROMIUM = "/usr/bin/chromium"
RESULTS = Path(__file__).parent / "results_page.json"
LIMITS = {"first_chart_ms": 500.0, "slider_ms": 100.0, "first_view_bytes": 1_000_000}
SETTLE_MS = 1000
"""Between moves, so that no answer of an earlier one is taken for that of the next."""
FIRST_CHART = """
const watch = new MutationObserver(() => {
  if (document.querySelector("svg[data-chart='km-pfs'] path")) {
    watch.disconnect();
    requestAnimationFrame(() => { window.firstChart = performance.now(); });
  }
});
watch.observe(document, {childList: true, subtree: true});
"""
MOVE = """position => new Promise(done => {
  const slider = document.querySelector(".controls input[type='range']");
  const map = document.querySelector("section.map");
  const before = map.dataset.source;
  const begin = performance.now();
  const watch = new MutationObserver(() => {
    if (map.dataset.source === before) return;
    watch.disconnect();
    requestAnimationFrame(() => done(performance.now() - begin));
  });
  watch.observe(map, {attributes: true, attributeFilter: ['data-source']});
  slider.value = position;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  setTimeout(() => { watch.disconnect(); done(null); }, 10000);
})"""
"""The map carries the run it shows; a move is over in the frame after that has become another."""


@contextmanager
def running(url: str | None, port: int) -> Iterator[str]:
    """Address of a server that answers, started here where none is named."""
    if url:
        yield url.rstrip("/")
        return
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "her2.cli.main", "serve", "--no-open", "--port", str(port),
                   "--database", f"sqlite:///{folder}/jobs.sqlite"]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"{base}/api/network/layout", timeout=600):
                        break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit("the server ended before it answered") from None
                    time.sleep(0.3)
            yield base
        finally:
            process.terminate()
            process.wait(30)


def first_view(browser: Browser, base: str, loads: int) -> tuple[list[float], list[int], int]:
    """Time to the first chart, bytes, and requests, each load with an empty cache."""
    times, sizes, requests = [], [], 0
    for _ in range(loads):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.add_init_script(FIRST_CHART)
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        received: list[int] = []
        session.on("Network.loadingFinished", lambda e, to=received: to.append(int(e["encodedDataLength"])))
        page.goto(base + "/")
        page.locator("svg[data-chart='map'] .map-box").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        times.append(float(page.evaluate("window.firstChart")))
        sizes.append(sum(received))
        requests = len(received)
        context.close()
    return times, sizes, requests


def slider(browser: Browser, base: str, moves: int) -> list[float]:
    """Milliseconds from a move of a dose slider to the changed map; every dose is new to the server."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(base + "/pathway?drugs=trastuzumab:clinical,lapatinib:clinical")
    page.locator("svg[data-chart='map'] .map-box").first.wait_for(timeout=60_000)
    page.locator(".controls input[type='range']").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    times = []
    for k in range(moves):
        found: Any = page.evaluate(MOVE, round(0.1 + 0.85 * ((k * 0.381966) % 1.0), 2))
        if found is not None:
            times.append(float(found))
        page.wait_for_timeout(SETTLE_MS)
    context.close()
    return times


def quantile(values: list[float], q: float) -> float:
    """Smallest value at or above which a share q of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--port", type=int, default=8798)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--moves", type=int, default=60)
    given = parser.parse_args()
    with running(given.url, given.port) as base, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        times, sizes, requests = first_view(browser, base, given.loads)
        moves = slider(browser, base, given.moves)
        browser.close()
    result = {
        "first_chart_ms": {"median": statistics.median(times), "worst": max(times), "loads": len(times)},
        "slider_ms": {"median": statistics.median(moves), "p95": quantile(moves, 0.95), "moves": len(moves)},
        "first_view_bytes": {"median": statistics.median(sizes), "requests": requests},
        "limits": LIMITS,
        "load_average": os.getloadavg()[0],
        "version": her2.__version__,
        "on": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"first chart      {statistics.median(times):8.0f} ms   worst {max(times):.0f} of {len(times)} loads"
    )
    print(f"slider to map    {statistics.median(moves):8.0f} ms   95 % below {quantile(moves, 0.95):.0f}")
    print(f"first view       {statistics.median(sizes) / 1000:8.0f} kB   {requests} requests")
    print(f"load average     {os.getloadavg()[0]:8.1f}")


if __name__ == "__main__":
    main()
