"""The page in a real browser on loopback: time to the first chart, slider to picture, bytes of the first view.

    python benchmarks/page.py [--url http://127.0.0.1:8765] [--loads 7] [--moves 60]

Without --url a server is started. The first chart is the Kaplan-Meier picture of the first screen, from the start of
the navigation in a browser without a cache until it is painted; a slider move is timed from its input event until the
changed map is painted; bytes are those that came over the connection, headers included. Beside the times stands the
processor time that server and browser took, which does not depend on what else the machine does. Prints a table and
writes benchmarks/results_page.json.
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
const painted = done => requestAnimationFrame(() => {
  // messages are delivered after the frame in which they were sent
  const way = new MessageChannel();
  way.port1.onmessage = () => done(performance.now());
  way.port2.postMessage(0);
});
window.painted = painted;
const watch = new MutationObserver(() => {
  if (document.querySelector("svg[data-chart='km-pfs'] path")) {
    watch.disconnect();
    painted(t => { window.firstChart = t; });
  }
});
watch.observe(document, {childList: true, subtree: true});
"""
PAINTED = """() => Math.max(
  window.firstChart, ...performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)
)"""
"""The later of two clocks: the chart stands and a frame has passed, and something is on the screen at all."""
MOVE = """position => new Promise(done => {
  const slider = document.querySelector(".controls input[type='range']");
  const map = document.querySelector("section.map");
  const before = map.dataset.source;
  const begin = performance.now();
  const watch = new MutationObserver(() => {
    if (map.dataset.source === before) return;
    watch.disconnect();
    window.painted(t => done(t - begin));
  });
  watch.observe(map, {attributes: true, attributeFilter: ['data-source']});
  slider.value = position;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  setTimeout(() => { watch.disconnect(); done(null); }, 10000);
})"""
"""The map carries the run it shows; a move is over when the frame in which that has become another is painted."""


class Clock:
    """Processor time of the server, and of the browser with all its processes; None where /proc does not tell."""

    def __init__(self, server: int | None) -> None:
        self.server = server

    def read(self) -> dict[str, float] | None:
        """Seconds so far."""
        table = processes()
        if table is None:
            return None
        mine = descendants(table, os.getpid()) - {os.getpid()}
        of_server = (
            descendants(table, self.server) if self.server is not None and self.server in table else set()
        )
        return {
            "server": sum(table[p][1] for p in of_server),
            "browser": sum(table[p][1] for p in mine - of_server),
        }


def processes() -> dict[int, tuple[int, float]] | None:
    """Parent and processor seconds of every process, ended children included."""
    if not Path("/proc/self/stat").exists():
        return None
    tick = float(os.sysconf("SC_CLK_TCK"))
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            except OSError:
                continue
            found[int(folder.name)] = (int(fields[1]), sum(int(x) for x in fields[11:15]) / tick)
    return found


def descendants(table: dict[int, tuple[int, float]], root: int) -> set[int]:
    """A process and all that it has started."""
    found = {root}
    while more := {p for p, (parent, _) in table.items() if parent in found} - found:
        found |= more
    return found


def per(begin: dict[str, float] | None, end: dict[str, float] | None, n: int) -> dict[str, float] | None:
    """Milliseconds of each between two readings, divided by the number of what was measured."""
    if begin is None or end is None:
        return None
    return {k: round(1000.0 * (end[k] - begin[k]) / n, 1) for k in end}


@contextmanager
def running(url: str | None, port: int) -> Iterator[tuple[str, int | None]]:
    """Address of a server that is ready, started here where none is named, and then its process."""
    if url:
        yield url.rstrip("/"), None
        return
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "her2.cli.main", "serve", "--no-open", "--port", str(port),
                   "--database", f"sqlite:///{folder}/jobs.sqlite"]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"{base}/api/health", timeout=600) as answer:
                        if json.load(answer)["ready"]:
                            break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit("the server ended before it answered") from None
                time.sleep(0.3)
            yield base, process.pid
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
        times.append(float(page.evaluate(PAINTED)))
        sizes.append(sum(received))
        requests = len(received)
        context.close()
    return times, sizes, requests


def slider(browser: Browser, base: str, moves: int) -> list[float]:
    """Milliseconds from a move of a dose slider to the changed map; every dose is new to the server."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(FIRST_CHART)
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
    with running(given.url, given.port) as (base, server), sync_playwright() as p:
        clock = Clock(server)
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # the first one starts the browser's own processes and fills what the server keeps
        first_view(browser, base, 1)
        readings = [clock.read()]
        times, sizes, requests = first_view(browser, base, given.loads)
        readings.append(clock.read())
        moves = slider(browser, base, given.moves)
        readings.append(clock.read())
        browser.close()
    if not moves:
        raise SystemExit("no move of the slider changed the map within ten seconds")
    result: dict[str, Any] = {
        "first_chart_ms": {"median": statistics.median(times), "worst": max(times), "loads": len(times)},
        "slider_ms": {"median": statistics.median(moves), "p95": quantile(moves, 0.95), "moves": len(moves)},
        "first_view_bytes": {"median": statistics.median(sizes), "requests": requests},
        "processor_ms": {
            "per_load": per(readings[0], readings[1], len(times)),
            "per_move": per(readings[1], readings[2], len(moves)),
        },
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
    for what, name in (("per_load", "a load"), ("per_move", "a move")):
        spent = result["processor_ms"][what]
        if spent is not None:
            print(
                f"processor, {name}  server {spent['server']:.0f} ms, browser {spent['browser']:.0f} ms, "
                "the rest of its view included"
            )
    print(f"load average     {os.getloadavg()[0]:8.1f}")


if __name__ == "__main__":
    main()
