"""The pages: every layer has one, every parameter stands on one, formulas are written in one place."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from her2.evidence.load import files_of, find_file, load_parameters, read_yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LAYERS = (
    "receptors", "pathways", "phenotype", "drugs", "pharmacology", "toxicity", "tumour", "patients", "observation",
    "trials", "statistics", "sequencing", "prognosis", "engine", "calibration", "validation", "sensitivity",
)  # fmt: skip
WITH_EQUATIONS = tuple(
    layer for layer in LAYERS if layer != "engine"
)  # which says how the others' equations are computed


def _pages():
    return [p for p in DOCS.rglob("*.md") if "_build" not in p.parts]


def _parameters_of(text):
    """Ids that the `{parameters}` directives of a page show."""
    parameters, stems = load_parameters(), {p.stem for p in files_of("parameters")}
    shown = set()
    for names in re.findall(r"^```\{parameters\} *(.*)$", text, re.MULTILINE):
        for name in names.split():
            if name in stems:
                shown |= {p["id"] for p in read_yaml(find_file("parameters", name))["parameters"]}
            else:
                shown |= {k for k in parameters if k.startswith(name)}
    return shown


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_a_page_in_the_table_of_contents(layer):
    assert (DOCS / "explanation" / f"{layer}.md").is_file()
    assert f"explanation/{layer}\n" in (DOCS / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("layer", WITH_EQUATIONS)
def test_a_layer_shows_its_equations(layer):
    text = (DOCS / "explanation" / f"{layer}.md").read_text(encoding="utf-8")
    assert text.count("$$") >= 2, f"explanation/{layer}.md: no displayed equation"
    assert text.count("$$") % 2 == 0


def test_every_parameter_of_the_record_stands_on_the_page_of_a_layer():
    shown = set()
    for path in (DOCS / "explanation").glob("*.md"):
        shown |= _parameters_of(path.read_text(encoding="utf-8"))
    missing = sorted(set(load_parameters()) - shown)
    assert not missing, f"on no explanation page: {missing}"


def test_an_equation_is_written_in_one_place():
    where = defaultdict(set)
    for path in _pages():
        for formula in re.findall(r"\$\$(.+?)\$\$", path.read_text(encoding="utf-8"), re.DOTALL):
            where[re.sub(r"\s|[.,;]$", "", formula)].add(path.relative_to(DOCS).as_posix())
    twice = {f: sorted(pages) for f, pages in where.items() if len(pages) > 1}
    assert not twice, twice


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for path in _pages():
        for body in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            for line in body.splitlines():
                if line and not line.startswith(":"):
                    listed |= {p.resolve() for p in path.parent.glob(f"{line}.md")}
    missing = {p.resolve() for p in _pages()} - listed - {(DOCS / "index.md").resolve()}
    assert not missing, sorted(p.name for p in missing)


def test_the_glossary_is_in_order_and_says_each_word_once():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^(\S.*)\n: ", text, re.MULTILINE)
    keys = [w.casefold() for w in words]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_the_citation_is_of_this_version():
    import her2

    data = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert data["cff-version"] == "1.2.0" and data["type"] == "software"
    assert {"message", "title", "authors", "license"} <= set(data)
    assert data["version"] == her2.__version__
    assert data["license"] == "Apache-2.0"
    assert f'version = "{her2.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert her2.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_note_says_what_happens_to_predictions():
    for path in (ROOT / "changes").glob("*.md"):
        if path.name != "README.md":
            assert re.search(r"predict", path.read_text(encoding="utf-8"), re.IGNORECASE), path.name
