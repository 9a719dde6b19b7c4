"""All trust checks, one part after another: `make trust`, or `make trust FULL=1`.

    python trust/run.py [--full] [--seed N] [--only PART ...]

Every part is a process of its own; what it prints is shown and kept in `trust/results/log.txt` (full size) or
`trust/results_reduced/log.txt`, without paths or names of the machine. A full run ends with `docs/trust.md` written
anew (`trust/report.py`). Exit status: 0 if every figure of every part meets its target.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import report
from common import REDUCED, RESULTS, ROOT, TRUST, made_with, parser


def tidied(line: str) -> str:
    """A printed line without paths and name of this machine."""
    folders = (
        (str(ROOT), "."),
        (sys.prefix, "ENVIRONMENT"),
        (sys.base_prefix, "PYTHON"),
        (tempfile.gettempdir(), "TEMPORARY"),
        (str(Path.home()), "HOME"),
    )
    # the longest first, so that an environment inside the checkout is not half replaced
    for path, word in sorted(folders, key=lambda pair: -len(pair[0])):
        if len(path) > 1:
            line = re.sub(rf"{re.escape(path)}(?=/|\W|$)", word, line)
    host = socket.gethostname()
    return re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "HOST", line) if len(host) > 3 else line


def run_part(part: str, options: list[str], log: list[str]) -> int:
    """Run a part, show and keep what it prints; its exit status."""
    script = TRUST / report.SCRIPT[part]
    tell(f"\n== {part}: {report.PARTS[part]}", log)
    if not script.exists():
        tell(f"trust/{script.name} does not exist: not run", log)
        return 1
    # COLUMNS keeps the tables whole where there is no terminal
    env = {"COLUMNS": "150", **os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, str(script), *options], cwd=ROOT, env=env, text=True, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            tell(line.rstrip("\n"), log)
    return process.returncode


def tell(line: str, log: list[str]) -> None:
    """Show a line and keep it."""
    line = tidied(line)
    print(line, flush=True)
    log.append(line)


def stale(now: dict[str, str]) -> list[str]:
    """Parts whose full result belongs to another model, parameters or posterior than those at hand."""
    keys = ("model_digest", "parameter_digest", "posterior_digest")
    found = []
    for part in report.PARTS:
        result = report.read_part(part)
        if result is not None and any(result[k] != now[k] for k in keys):
            found.append(part)
    return found


def main() -> int:
    """Run the parts, write log and page."""
    made = parser(__doc__)
    made.add_argument(
        "--only", nargs="+", choices=sorted(report.PARTS), metavar="PART", help="these parts only"
    )
    given = made.parse_args()
    options = ["--seed", str(given.seed), *(["--full"] if given.full else [])]
    log: list[str] = []
    now = made_with()
    digests = ", ".join(f"{k} {now[f'{k}_digest'][:12]}" for k in ("model", "parameter", "posterior"))
    size = "full" if given.full else "reduced"
    tell(f"trust checks, {size} size, seed {given.seed}: her2 {now['version']}, {digests}", log)
    tell(f"{now['cpu']}, {now['os']}, Python {now['python']}", log)
    began = time.perf_counter()
    failed = [part for part in given.only or report.PARTS if run_part(part, options, log)]
    tell(f"\n{(time.perf_counter() - began) / 60:.1f} min in all", log)
    if given.full:
        report.PAGE.write_text(report.page(), encoding="utf-8")
        tell("docs/trust.md is written", log)
    elif old := stale(now):
        tell(
            "the full results of these parts are of another model, parameters or posterior than those here: "
            + ", ".join(old),
            log,
        )
    tell("missed or failed: " + ", ".join(failed) if failed else "every figure meets its target", log)
    folder = RESULTS if given.full else REDUCED
    folder.mkdir(parents=True, exist_ok=True)
    name = "log.txt" if not given.only else f"log_{'_'.join(given.only)}.txt"
    (folder / name).write_text("\n".join(log) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
