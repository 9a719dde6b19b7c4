"""What the program is made of and how it is made: locked packages, their weaknesses and licences, SBOM, builds, wheel.

    python trust/supply.py [--full] [--seed N]
    python trust/supply.py --sbom FILE

- **Lock**: every line of `requirements/dev.lock` names one version and its SHA-256 hashes.
- **Audit** (full size): pip-audit asks the OSV database about every locked version. Where it cannot be reached the
  figure is "not run" and not met; it is never a zero.
- **SBOM**: CycloneDX, made of the lock by cyclonedx-py, with licences and what needs what from the installed packages;
  the same bytes each time, no address of a registry, no name of a machine.
- **Licences** of everything that `pip install her2` brings, and of the extras.
- **Builds**: wheel and sdist built twice from copies of the checkout in two folders with other names, modes, times,
  languages and time zones; the bytes have to be the same.
- **Wheel**: what it holds, and that it works without the checkout: unpacked beside the packages of this environment
  (reduced), or installed with its pinned dependencies into an empty environment of Python 3.11, 3.12 and 3.13 (full).
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, Figure, finish, machine_words, parser

LOCK = ROOT / "requirements" / "dev.lock"
SBOM = RESULTS / "sbom.cdx.json"
PYTHONS = ("3.11", "3.12", "3.13")
COMMANDS = (
    ("--version",),
    ("cell", "SKBR3", "--drug", "trastuzumab"),
    ("trial", "cleopatra", "--patients", "200"),
)
"""What an empty environment has to be able to do."""
QUICK = (("--version",), ("evidence", "PTEN"), ("lint",))
"""What a wheel unpacked beside the packages of this environment has to do at reduced size: no compilation."""
STRONG = re.compile(
    r"\bA?GPL\b|\bA?GPL-|\bAffero\b|GNU General Public|\bSSPL\b|\bCommons Clause\b|\bBUSL\b", re.IGNORECASE
)
"""Licences that cannot be joined with that of this package, Apache-2.0; LGPL and MPL can, for packages beside it."""
EXCEPTION = re.compile(
    r"L?GPL-[\d.]+(?:-only|-or-later)? WITH [\w.-]+|GPL-3.0-with-GCC-exception", re.IGNORECASE
)
WEAK = re.compile(r"\bLGPL|Lesser General|\bMPL\b|MPL-|Mozilla|\bEPL\b", re.IGNORECASE)
LICENCE_WORDS = (
    "GNU Affero General Public License", "GNU Lesser General Public License", "GNU General Public License",
    "Mozilla Public License", "Apache License", "MIT License", "BSD 3-Clause", "BSD 2-Clause",
)  # fmt: skip
"""Looked for in this order in the file of a package whose metadata name no licence."""
FOREIGN = re.compile(
    r"(^|/)(tests?|docs|benchmarks|node_modules|\.git|__pycache__|conftest\.py)(/|$)|\.pyc$|\.nb[ic]$|\.orig$"
)
"""What a wheel must not hold."""


# ---- the lock


@dataclass(frozen=True)
class Locked:
    """A line of the lock."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def read_lock(text: str) -> tuple[list[Locked], list[str]]:
    """Lines of a lock, and those that are not one version with hashes."""
    joined = re.sub(r"\\\n", " ", text)
    found, wrong = [], []
    for line in joined.splitlines():
        line = line.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        m = re.fullmatch(
            r"([A-Za-z0-9][\w.-]*)==(\S+?)(?:\s*;\s*(.*?))?((?:\s+--hash=sha256:[0-9a-f]{64})+)", line
        )
        if m is None:
            wrong.append(line[:80])
            continue
        hashes = tuple(re.findall(r"sha256:([0-9a-f]{64})", m[4]))
        found.append(Locked(plain_name(m[1]), m[2], (m[3] or "").strip(), hashes))
    return found, wrong


def plain_name(name: str) -> str:
    """The name of a package as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- weaknesses


def audit(locked: list[Locked], seconds: float = 600.0) -> tuple[int | None, list[str], str]:
    """Known weaknesses of the locked versions: their number, what they are, and why there is none where none came."""
    with tempfile.TemporaryDirectory(prefix="her2-audit-") as folder:
        listed = Path(folder) / "locked.txt"
        listed.write_text("".join(f"{p.name}=={p.version}\n" for p in locked), encoding="utf-8")
        try:
            ran = subprocess.run(
                [sys.executable, "-m", "pip_audit", "-r", str(listed), "--no-deps", "--disable-pip", "-s", "osv",
                 "-f", "json", "--progress-spinner", "off", "--timeout", "20"],
                capture_output=True, text=True, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, [], "the advisory database did not answer"
    return read_audit(ran.stdout, ran.stderr, len(locked))


def read_audit(told: str, said: str, wanted: int) -> tuple[int | None, list[str], str]:
    """What pip-audit told; without an answer about every package it is no audit."""
    try:
        packages = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [
            line for line in said.splitlines() if "Error" in line or "error" in line
        ] or said.splitlines()
        kind = re.search(r"\w*(?:Error|Exception)\b", lines[-1]) if lines else None
        return None, [], f"the advisory database cannot be reached ({kind[0] if kind else 'no answer'})"
    looked_at = [p for p in packages if "vulns" in p]
    if len(looked_at) < wanted:
        return None, [], f"{wanted - len(looked_at)} of {wanted} packages could not be looked up"
    found = [f"{p['name']} {p['version']}: {v['id']}" for p in looked_at for v in p["vulns"]]
    return len(found), found, ""


# ---- what needs what, and under which licence


def extras_of_her2() -> dict[str, list[str]]:
    """Requirements of the package ("" for those everyone gets) and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def closure(requirements: list[str]) -> dict[str, set[str]]:
    """Everything that requirements bring on this machine: package to the packages it needs itself."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    found: dict[str, set[str]] = {}
    waiting = [Requirement(r) for r in requirements]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name = plain_name(wanted.name)
        if (name, frozenset(wanted.extras)) in done:
            continue
        done.add((name, frozenset(wanted.extras)))
        needs = found.setdefault(name, set())
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            r = Requirement(line)
            if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in ("", *wanted.extras)):
                needs.add(plain_name(r.name))
                waiting.append(r)
    return found


def licence_of(name: str) -> str:
    """Licence of an installed package: its SPDX expression, else its classifiers, else its own short words."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        data = metadata(name)
    except PackageNotFoundError:
        return ""
    expression = data.get("License-Expression")
    if expression:
        return str(expression)
    classified = [
        c.rsplit(" :: ", 1)[-1] for c in data.get_all("Classifier") or [] if c.startswith("License :: ")
    ]
    classified = [c for c in classified if c != "OSI Approved"]
    if classified:
        return ", ".join(classified)
    own = str(data.get("License") or "").strip()
    return own.splitlines()[0][:80] if own else licence_file(name)


def licence_file(name: str) -> str:
    """The licence that an installed package's own file names near its beginning; empty if it names none we know."""
    from importlib.metadata import files

    for path in files(name) or []:
        if re.fullmatch(r"(LICENSE|LICENCE|COPYING)(\.\w+)?", path.name) and "dist-info" in str(path):
            text = " ".join(path.read_text(encoding="utf-8").split())[:2000]
            for words in LICENCE_WORDS:
                if words.lower() in text.lower():
                    return f"{words} (its file)"
    return ""


def kind_of(licence: str) -> str:
    """`strong`, `weak`, `permissive`, or `unknown`."""
    if not licence or licence.upper() in ("UNKNOWN", "OTHER"):
        return "unknown"
    rest = EXCEPTION.sub("", licence)
    choices = re.split(r"\bOR\b", rest)
    if all(STRONG.search(re.sub(r"LGPL", "", c)) for c in choices):
        return "strong"
    return "weak" if WEAK.search(rest) else "permissive"


# ---- SBOM


def make_sbom(locked: list[Locked]) -> dict[str, Any]:
    """The bill of materials: cyclonedx-py from the lock, then scope, licence and needs of every component.

    The needs are those on the machine that makes it.
    """
    with tempfile.TemporaryDirectory(prefix="her2-sbom-") as folder:
        target = Path(folder) / "sbom.json"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(LOCK), "--of", "JSON",
             "--short-PURLs", "--output-reproducible", "-o", str(target)],
            check=True, capture_output=True, env={k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"},
        )  # fmt: skip
        sbom: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    from her2 import __version__

    parts = extras_of_her2()
    everyone = closure(parts[""])
    needs = closure([r for lines in parts.values() for r in lines])
    refs: dict[str, str] = {}
    for component in sbom["components"]:
        name = plain_name(component["name"])
        component["bom-ref"] = refs[name] = f"pkg:pypi/{name}@{component['version']}"
        # addresses of indices are of whoever made the lock
        component.pop("externalReferences", None)
        component.pop("description", None)
        component["scope"] = "required" if name in everyone else "optional"
        if licence := licence_of(name):
            component["licenses"] = [{"license": {"name": licence}}]
    sbom["components"].sort(key=lambda c: c["bom-ref"])
    for tool in sbom["metadata"].get("tools", {}).get("components", []):
        tool.pop("externalReferences", None)
    own = f"pkg:pypi/her2@{__version__}"
    sbom["metadata"]["component"] = {
        "type": "application", "bom-ref": own, "name": "her2", "version": __version__, "purl": own,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip
    direct = {
        plain_name(re.split(r"[\[<>=!~; ]", r, maxsplit=1)[0]) for lines in parts.values() for r in lines
    }
    sbom["dependencies"] = [
        {"ref": own, "dependsOn": sorted(refs[n] for n in direct if n in refs)},
        *(
            {"ref": refs[n], "dependsOn": sorted(refs[m] for m in needs.get(n, ()) if m in refs)}
            for n in sorted(refs, key=lambda n: refs[n])
        ),
    ]
    return sbom


def sbom_errors(sbom: dict[str, Any], locked: list[Locked]) -> list[str]:
    """What is wrong with a bill of materials."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(sbom)
    found = []
    problem = JsonStrictValidator(SchemaVersion.from_version(sbom["specVersion"])).validate_str(text)
    if problem is not None:
        found.append(f"not CycloneDX {sbom['specVersion']}: {str(problem)[:200]}")
    listed = {(plain_name(c["name"]), c["version"]) for c in sbom["components"]}
    if missing := {(p.name, p.version) for p in locked} - listed:
        found.append(f"without {', '.join(sorted(n for n, _ in missing))[:200]}")
    if addresses := set(re.findall(r"https?://[^\"/]+", text)) - {
        "http://cyclonedx.org",
        "https://cyclonedx.org",
    }:
        found.append(f"names addresses: {', '.join(sorted(addresses))[:200]}")
    if machine_words(text):
        found.append("names this machine")
    return found


# ---- builds


def checkout(target: Path) -> Path:
    """A copy of what the checkout holds, without what git ignores; builds are of one copy, whoever edits meanwhile."""
    for name in kept_files("."):
        source = ROOT / name
        if source.is_file():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
    return target


def kept_files(below: str) -> list[str]:
    """Files of the checkout below a folder, those that git ignores left out."""
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", below],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    return [n for n in told.stdout.decode().split("\0") if n]


def build(source: Path, folder: Path, umask: int, **environment: str) -> dict[str, bytes]:
    """Wheel and sdist of a copy of a source tree, by kind."""
    old = os.umask(umask)
    try:
        shutil.copytree(source, folder, copy_function=shutil.copyfile)
        shift = 86_400 * (umask + 1)
        for path in folder.rglob("*"):
            os.utime(path, (1_500_000_000 + shift, 1_500_000_000 + shift))
        out = folder / "made here"
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(out)],
            cwd=folder, check=True, capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch(), "PYTHONHASHSEED": str(umask), **environment},
        )  # fmt: skip
    finally:
        os.umask(old)
    return {("wheel" if p.suffix == ".whl" else "sdist"): p.read_bytes() for p in out.iterdir()}


def epoch() -> str:
    """Time that builds carry: that of the last commit."""
    told = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip() or "1580601600"


def wheel_contents(wheel: Path, source: Path) -> tuple[list[str], list[str]]:
    """What a wheel holds that it must not, and what of the package in a source tree it lacks."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    foreign = sorted(n for n in names if FOREIGN.search(n) or n.split("/")[0] not in ("her2", _info(names)))
    package = source / "src"
    held = {p.relative_to(package).as_posix() for p in (package / "her2").rglob("*") if p.is_file()}
    return foreign, sorted(n for n in held - names if not FOREIGN.search(n))


def _info(names: set[str]) -> str:
    return next(n.split("/")[0] for n in names if n.split("/")[0].endswith(".dist-info"))


def sdist_contents(path: Path) -> list[str]:
    """Names in an sdist, without its first folder."""
    with tarfile.open(path) as archive:
        return [m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()]


# ---- the wheel at work


def quiet(folder: Path, **more: str) -> dict[str, str]:
    """An environment that knows nothing of the checkout or the user."""
    keep = ("PATH", "LANG", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL",
            "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SYSTEMROOT")  # fmt: skip
    return {k: os.environ[k] for k in keep if k in os.environ} | {
        "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "120", **more,
    }  # fmt: skip


def try_commands(
    python: list[str], commands: tuple[tuple[str, ...], ...], folder: Path, env: dict[str, str]
) -> list[str]:
    """Run commands outside of the checkout; what failed."""
    folder.mkdir(parents=True, exist_ok=True)
    where = subprocess.run(
        [*python, "-c", "import her2; print(her2.__file__)"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    if str(ROOT / "src") in where.stdout or where.returncode:
        return [f"her2 is not the one of the wheel: {(where.stdout + where.stderr).strip()[-200:]}"]
    failed = []
    for command in commands:
        ran = subprocess.run(
            [*python, "-m", "her2.cli.main", *command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        if ran.returncode != 0 or not ran.stdout.strip():
            failed.append(
                f"her2 {' '.join(command)}: exit status {ran.returncode}: {ran.stderr.strip()[-200:]}"
            )
    return failed


def run_unpacked(wheel: Path, folder: Path) -> list[str]:
    """The wheel beside the packages of this environment, without the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    # -P keeps the working folder off the path; the unpacked wheel comes before an editable install
    env = quiet(folder, PYTHONPATH=str(folder / "unpacked"))
    return try_commands([sys.executable, "-P"], QUICK, folder / "elsewhere", env)


def interpreter(version: str) -> str | None:
    """An interpreter of a version: on the path, or one that pyenv or uv have."""
    major, minor = (int(x) for x in version.split("."))
    homes = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    homes.append(Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python"))
    candidates = [shutil.which(f"python{version}"), sys.executable]
    candidates += [
        str(p) for h in homes if h.is_dir() for p in sorted(h.glob(f"*{version}*/bin/python{version}"))
    ]
    ask = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != ({major}, {minor}))"
    for name in candidates:
        # a shim may name a version that is not there
        if name and subprocess.run([name, "-c", ask], capture_output=True).returncode == 0:
            return name
    return None


def install_and_run(version: str, wheel: Path, locked: list[Locked], folder: Path) -> tuple[str, list[str]]:
    """An empty environment of a version with the wheel; what was found, and what failed."""
    python = interpreter(version)
    if python is None:
        return "not run", [f"no Python {version} on this machine"]
    folder.mkdir(parents=True)
    env = quiet(folder)
    made = folder / "environment"
    subprocess.run([python, "-m", "venv", str(made)], check=True, capture_output=True, env=env, cwd=folder)
    own = str(made / ("Scripts" if os.name == "nt" else "bin") / "python")
    pins = folder / "pins.txt"
    # the lock may name one package twice, for machines of different kinds: its markers go along
    pins.write_text(
        "".join(f"{p.name}=={p.version}{f' ; {p.marker}' if p.marker else ''}\n" for p in locked),
        encoding="utf-8",
    )
    installed = subprocess.run(
        [own, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(pins), str(wheel)],
        capture_output=True, text=True, env=env, cwd=folder,
    )  # fmt: skip
    if installed.returncode != 0:
        return "not run", [
            f"the dependencies cannot be installed: {installed.stderr.strip().splitlines()[-1][:200]}"
        ]
    failed = try_commands([own, "-P"], COMMANDS, folder / "elsewhere", env)
    # what needs an extra says which
    web = subprocess.run(
        [own, "-P", "-m", "her2.cli.main", "serve", "--no-open"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    if web.returncode != 2 or "her2[web]" not in web.stderr + web.stdout:
        failed.append(f"her2 serve without its extra: exit status {web.returncode}")
    return ("no" if failed else "yes"), failed


# ---- the part


def main() -> int:
    """Run the part."""
    options = parser(__doc__)
    options.add_argument("--sbom", type=Path, metavar="FILE", help="write the bill of materials, and stop")
    asked = options.parse_args()
    locked, wrong = read_lock(LOCK.read_text(encoding="utf-8"))
    if asked.sbom is not None:
        sbom = make_sbom(locked)
        if errors := sbom_errors(sbom, locked):
            print("\n".join(errors))
            return 1
        asked.sbom.parent.mkdir(parents=True, exist_ok=True)
        asked.sbom.write_text(json.dumps(sbom, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    began = time.monotonic()
    figures, details = [], {}
    figures.append(
        Figure("locked packages", len(locked), note=f"{sum(len(p.hashes) for p in locked):,} hashes of files")
    )
    note = "; ".join(wrong)[:200]
    figures.append(
        Figure(
            "lines of the lock without a version or hash", len(wrong), target="0", met=not wrong, note=note
        )
    )
    if asked.full:
        number, found, why = audit(locked)
        value = "not run" if number is None else number
        note = why or "; ".join(found)[:500] or "every locked version was looked up in OSV"
        figures.append(
            Figure("known weaknesses of locked versions", value, target="0", met=number == 0, note=note)
        )
        details["weaknesses"] = found
    figures += licence_figures(details)
    figures += sbom_figures(locked, asked.full)
    with tempfile.TemporaryDirectory(prefix="her2-supply-") as scratch:
        figures += build_figures(Path(scratch), locked, asked.full, details)
    return finish("supply", asked.full, asked.seed, figures, time.monotonic() - began, details)


def licence_figures(details: dict[str, Any]) -> list[Figure]:
    """Licences of what the package needs, with and without extras."""
    parts = extras_of_her2()
    runtime = sorted(closure(parts[""]))
    extras = sorted(
        {n for e in ("sbml", "sensitivity", "dask", "web", "postgres", "fhir") for n in closure(parts[e])}
    )
    licences = {n: licence_of(n) for n in {*runtime, *extras}}
    kinds = {n: kind_of(text) for n, text in licences.items()}
    details["licences"] = {
        "runtime": {n: licences[n] for n in runtime},
        "extras": {n: licences[n] for n in extras if n not in runtime},
    }
    named = {k: [n for n in runtime if kinds[n] == k] for k in ("strong", "weak", "unknown")}
    beside = {
        k: [n for n in extras if n not in runtime and kinds[n] == k] for k in ("strong", "weak", "unknown")
    }
    return [
        Figure("packages that an installation brings", len(runtime), note="on this machine, without extras"),
        Figure("their licences that exclude Apache-2.0, or are unknown", len(named["strong"]) + len(named["unknown"]),
               target="0", met=not (named["strong"] or named["unknown"]),
               note=", ".join(named["strong"] + named["unknown"]) or weak_text(named["weak"])),
        Figure("the same of packages that extras bring", len(beside["strong"]) + len(beside["unknown"]), target="0",
               met=not (beside["strong"] or beside["unknown"]),
               note=", ".join(beside["strong"] + beside["unknown"]) or weak_text(beside["weak"])),
    ]  # fmt: skip


def weak_text(names: list[str]) -> str:
    """Packages under LGPL, MPL or EPL."""
    return f"weak copyleft: {', '.join(names) or 'none'}"


def sbom_figures(locked: list[Locked], full: bool) -> list[Figure]:
    """The bill of materials, made twice."""
    first, second = make_sbom(locked), make_sbom(locked)
    errors = sbom_errors(first, locked)
    if first != second:
        errors.append("made twice, two results")
    if full and not errors:
        RESULTS.mkdir(parents=True, exist_ok=True)
        SBOM.write_text(json.dumps(first, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    required = sum(c["scope"] == "required" for c in first["components"])
    return [
        Figure("components of the SBOM", len(first["components"]), target=str(len(locked)),
               met=len(first["components"]) == len(locked),
               note=f"{required} required; CycloneDX {first['specVersion']}"),
        Figure("errors of the SBOM", len(errors), target="0", met=not errors, note="; ".join(errors)[:300]),
    ]  # fmt: skip


def build_figures(scratch: Path, locked: list[Locked], full: bool, details: dict[str, Any]) -> list[Figure]:
    """Two builds, what is in them, and whether the wheel works."""
    source = checkout(scratch / "source")
    one = build(source, scratch / "a", 0o022, TZ="UTC", LANG="C.UTF-8")
    two = build(source, scratch / "another place" / "b", 0o077, TZ="Pacific/Auckland", LANG="de_DE.UTF-8")
    made = []
    for kind in ("wheel", "sdist"):
        same = one[kind] == two[kind]
        note = f"{len(one[kind]):,} bytes; other folder, modes, times, language, time zone"
        name = f"two builds of the {kind} with the same bytes"
        made.append(Figure(name, "yes" if same else "no", target="yes", met=same, note=note))
        details[f"{kind}_sha256"] = hashlib.sha256(one[kind]).hexdigest()
    from her2 import __version__

    wheel = scratch / f"her2-{__version__}-py3-none-any.whl"
    wheel.write_bytes(one["wheel"])
    sdist = scratch / "her2.tar.gz"
    sdist.write_bytes(one["sdist"])
    foreign, missing = wheel_contents(wheel, source)
    lacking = {"pyproject.toml", "LICENSE", "README.md", "src/her2/__init__.py"} - set(sdist_contents(sdist))
    made += [
        Figure("files of the wheel that do not belong into it", len(foreign), target="0", met=not foreign,
               note=", ".join(foreign)[:200]),
        Figure("files of the package that the wheel lacks", len(missing), target="0", met=not missing,
               note=", ".join(missing)[:200]),
        Figure("files that the sdist lacks", len(lacking), target="0", met=not lacking,
               note=", ".join(sorted(lacking))),
    ]  # fmt: skip
    if not full:
        failed = run_unpacked(wheel, scratch / "run")
        note = "; ".join(failed) or ", ".join(f"her2 {' '.join(c)}" for c in QUICK)
        made.append(
            Figure(
                "commands that fail without the checkout", len(failed), target="0", met=not failed, note=note
            )
        )
        return made
    for version in PYTHONS:
        found, failed = install_and_run(version, wheel, locked, scratch / f"python {version}")
        # a message may hold a place of this machine
        note = "; ".join(failed).replace(str(scratch), "...") or "; ".join(
            f"her2 {' '.join(c)}" for c in COMMANDS
        )
        made.append(
            Figure(
                f"works in an empty environment of Python {version}",
                found,
                target="yes",
                met=found == "yes",
                note=note[:400],
            )
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
