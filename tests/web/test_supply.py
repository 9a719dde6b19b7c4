"""The lock, the licences, the bill of materials and the wheel: what `trust/supply.py` finds, and that it finds faults."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HASH = "a" * 64


@pytest.fixture(scope="module")
def supply():
    """The module `trust/supply.py`."""
    trust = ROOT / "trust"
    # its neighbour `common`, but not its `http.py` in place of Python's
    sys.path.append(str(trust))
    spec = importlib.util.spec_from_file_location("her2_trust_supply", trust / "supply.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(trust))
    return module


def test_every_line_of_the_lock_is_pinned_and_hashed(supply):
    locked, wrong = supply.read_lock((ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    assert wrong == [] and len(locked) > 100 and all(p.hashes for p in locked)
    names = {p.name for p in locked}
    for lines in supply.extras_of_her2().values():
        for line in lines:
            name = supply.plain_name(line.split("[")[0].split(">")[0].split("=")[0].strip())
            assert name in names, f"{name} is not in the lock: run make lock"


@pytest.mark.parametrize(
    "line", ["numpy", "numpy>=2.0", "numpy==2.0", f"numpy>=2.0 --hash=sha256:{HASH}", "-e .", "git+https://x/y",
             f"numpy==2.0 --hash=md5:{HASH[:32]}", f"--index-url https://x\nnumpy==2.0 --hash=sha256:{HASH}"],
)  # fmt: skip
def test_a_line_that_is_not_pinned_is_found(supply, line):
    assert supply.read_lock(line)[1]


def test_a_line_of_the_lock_is_read_with_its_marker(supply):
    text = f"Foo_Bar==1.2 ; python_version < '3.12' \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{'b' * 64}\n    # via x\n"
    (found,), wrong = supply.read_lock(text)
    assert not wrong and found == supply.Locked("foo-bar", "1.2", "python_version < '3.12'", (HASH, "b" * 64))


def test_an_audit_that_did_not_happen_is_not_a_zero(supply):
    for told, said in (
        ("", "requests.exceptions.ConnectionError: x"),
        ("{}", ""),
        ("null", ""),
        ("not json", ""),
    ):
        number, found, why = supply.read_audit(told, said, 1)
        assert number is None and found == [] and why
    skipped = json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}]})
    assert supply.read_audit(skipped, "", 1)[0] is None, (
        "a package that was not looked up is not free of weaknesses"
    )
    few = json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": []}]})
    assert supply.read_audit(few, "", 2)[0] is None
    assert supply.read_audit(few, "", 1) == (0, [], "")
    bad = json.dumps(
        {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1"}, {"id": "X-2"}]}]}
    )
    assert supply.read_audit(bad, "", 1) == (2, ["a 1: X-1", "a 1: X-2"], "")


@pytest.mark.parametrize(
    ("licence", "kind"),
    [("MIT", "permissive"), ("BSD-3-Clause AND 0BSD AND MIT", "permissive"), ("GPL-3.0-or-later", "strong"),
     ("GNU General Public License v3 (GPLv3)", "strong"), ("AGPL-3.0-only", "strong"), ("LGPL-3.0-only", "weak"),
     ("GNU Lesser General Public License v3 (LGPLv3)", "weak"), ("MPL-2.0", "weak"), ("", "unknown"),
     ("UNKNOWN", "unknown"), ("GPL-2.0-only OR MIT", "permissive"),
     ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", "permissive"), ("BSD-3-Clause AND GPL-2.0-only", "strong"),
     ("SSPL-1.0", "strong"), ("Python Software Foundation License", "permissive")],
)  # fmt: skip
def test_licences_are_told_apart(supply, licence, kind):
    assert supply.kind_of(licence) == kind


def test_an_installation_brings_nothing_under_a_licence_that_excludes_ours(supply):
    everyone = supply.closure(supply.extras_of_her2()[""])
    assert {"numpy", "numba", "llvmlite", "pydantic-core", "typer"} <= set(everyone)
    for name in everyone:
        assert supply.kind_of(supply.licence_of(name)) in ("permissive", "weak"), (
            f"{name}: {supply.licence_of(name)}"
        )


def test_the_bill_of_materials_is_whole_and_names_no_machine(supply):
    pytest.importorskip("cyclonedx", reason="needs the extra 'trust'")
    locked, _ = supply.read_lock((ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    made = supply.make_sbom(locked)
    assert supply.sbom_errors(made, locked) == []
    parts = {c["name"].lower(): c for c in made["components"]}
    assert parts["numpy"]["scope"] == "required" and parts["pytest"]["scope"] == "optional"
    needs = {d["ref"]: d["dependsOn"] for d in made["dependencies"]}
    assert any(r.startswith("pkg:pypi/llvmlite@") for r in needs[parts["numba"]["bom-ref"]])
    # and the check finds what is wrong
    named = {
        **made,
        "components": [{**c, "description": "https://mirror.example/simple"} for c in made["components"]],
    }
    assert any("addresses" in e for e in supply.sbom_errors(named, locked))
    short = {**made, "components": made["components"][1:]}
    assert any("without" in e for e in supply.sbom_errors(short, locked))
    assert any(
        "CycloneDX" in e
        for e in supply.sbom_errors({**made, "components": [{"name": "x", "version": "1"}]}, locked)
    )


def test_a_wheel_holds_the_package_and_nothing_else(supply, tmp_path):
    source = supply.checkout(tmp_path / "source")
    made = supply.build(source, tmp_path / "one", 0o022)
    wheel = tmp_path / "her2-0-py3-none-any.whl"
    wheel.write_bytes(made["wheel"])
    assert supply.wheel_contents(wheel, source) == ([], [])
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {i.external_attr >> 16 & 0o777 for i in archive.infolist()} <= {0o644, 0o755}
    assert "her2/web/static/index.html" in names and "her2/py.typed" in names
    assert any(n.startswith("her2/data/posterior/") for n in names)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tests/test_x.py", "")
        archive.writestr("her2/.git/config", "")
    assert supply.wheel_contents(wheel, source)[0] == ["her2/.git/config", "tests/test_x.py"]
    assert supply.build(source, tmp_path / "two words" / "b", 0o077, TZ="Asia/Tokyo") == made, (
        "the same bytes elsewhere"
    )
