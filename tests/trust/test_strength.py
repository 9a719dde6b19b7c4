"""What the check of the tests' strength rests on: the list of mutants, samples, and planted bugs that still fit."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("cosmic_ray", reason="comes with the extra 'trust'")


@pytest.fixture(scope="module")
def tools():
    """The two modules of the check; their folder goes last, as its http.py is not Python's."""
    sys.path.append(str(ROOT / "trust"))
    try:
        import _mutants
        import _mutants_planted

        yield _mutants, _mutants_planted
    finally:
        sys.path.remove(str(ROOT / "trust"))


@pytest.mark.parametrize("source", ["src/her2/survival/ties.py", "src/her2/store/ledger.py"])
def test_the_list_of_mutants_is_that_of_cosmic_ray(tools, source):
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    listed = [(m.operator, m.occurrence, m.start) for m in tools[0]._of_file("x", source, ROOT)]
    expected = []
    for name, operator in tools[0]._operators().items():
        places = [
            start
            for node in ast_nodes(get_ast_from_path(ROOT / source))
            for start, _ in operator().mutation_positions(node)
        ]
        expected += [(name, k, start) for k, start in enumerate(places)]
    assert sorted(listed) == sorted(expected)
    assert len(listed) > 50


def test_a_mutant_changes_what_it_says(tools):
    code = "def f(x):\n    return x + 1\n"
    (path,) = [m for m in tools[0].PARTS if m.name == "ledger"]
    assert path.tests_of("src/her2/store/ledger.py")
    made = {
        tools[0].mutate(
            code, tools[0].Mutant("x", "f.py", "ReplaceBinaryOperator_Add_Sub", 0, (2, 13), (2, 14))
        )
    }
    assert made == {"def f(x):\n    return x - 1\n"}
    with pytest.raises(LookupError, match="does not apply"):
        tools[0].mutate(
            code, tools[0].Mutant("x", "f.py", "ReplaceBinaryOperator_Add_Sub", 1, (2, 13), (2, 14))
        )


def test_a_sample_is_drawn_once_for_a_seed_and_keeps_the_order(tools):
    mutants = [tools[0].Mutant("x", "f.py", "NumberReplacer", k, (k, 0), (k, 1)) for k in range(50)]
    one = tools[0].sample(mutants, 20, 3)
    assert one == tools[0].sample(mutants, 20, 3) != tools[0].sample(mutants, 20, 4)
    assert len(set(one)) == 20 and one == sorted(one, key=lambda m: m.occurrence)
    assert tools[0].sample(mutants, 50, 3) == mutants


def test_every_part_has_sources_and_tests(tools):
    for part in tools[0].PARTS:
        sources = part.sources(ROOT)
        assert sources
        for source in sources:
            tests = [t for t in part.tests_of(source) if not t.startswith("--")]
            assert tests and all((ROOT / t).is_file() for t in tests), source


def test_planted_bugs_fit_the_text_and_name_tests_that_are_there(tools):
    bugs = [*tools[1].load_bugs(), *tools[1].load_relation_bugs()]
    for bug in bugs:
        text = (ROOT / bug.file).read_text(encoding="utf-8")
        assert text.count(bug.old) == 1, f"{bug.id}: plant it anew, {bug.file} has changed"
        # a bug is a wrong program, not a broken file
        ast.parse(text.replace(bug.old, bug.new))
        assert all((ROOT / t).is_file() for t in bug.tests), bug.id
    assert len(tools[1].load_bugs()) >= 50


def test_every_relation_has_its_bug(tools):
    named = {b.relation for b in tools[1].load_relation_bugs()}
    found = set()
    for path in (ROOT / "tests" / "metamorphic").glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(node.name)
    assert named == found
    assert len(found) >= 20


def test_a_bug_is_planted_and_taken_out_again(tools, tmp_path):
    file = tmp_path / "f.py"
    file.write_text("x = 1\n", encoding="utf-8")
    bug = tools[1].Bug("b", "breaks", "f.py", "x = 1", "x = 2", ("t.py",))
    before = file.stat().st_mtime_ns
    with tools[1].planted(tmp_path, bug):
        assert file.read_text(encoding="utf-8") == "x = 2\n"
    assert (file.read_text(encoding="utf-8"), file.stat().st_mtime_ns) == ("x = 1\n", before)
    file.write_text("x = 1\nx = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="occurs 2 times"), tools[1].planted(tmp_path, bug):
        pass


def test_failures_are_read_from_the_summary(tools):
    text = "..F\nFAILED tests/a.py::test_b - assert\nERROR tests/c.py - ImportError\n1 failed\n"
    assert tools[1].failures_of(text) == ["tests/a.py::test_b", "tests/c.py"]
