"""Every code block of the documentation runs, or says why it does not."""

from __future__ import annotations

import pytest
import yaml
from blocks import (
    COMMANDS,
    DOCS,
    ROOT,
    SMALL,
    Block,
    Page,
    blocks_of,
    check_printed,
    lines_of,
    made_small,
    pages,
)

PAGES = [p.relative_to(ROOT).as_posix() for p in pages()]


def _run(name, folder, monkeypatch, *, slow):
    monkeypatch.chdir(folder)
    # figures drawn by a page must need no screen
    monkeypatch.setenv("MPLBACKEND", "Agg")
    blocks = blocks_of(ROOT / name)
    page = Page(folder)
    ran = 0
    for k, block in enumerate(blocks):
        follows = block.has("prints") and k and (blocks[k - 1].has("slow") or blocks[k - 1].has("not run"))
        if block.has("not run") or follows or (block.has("slow") and not slow):
            continue
        if block.is_code or block.has("save") or block.has("prints"):
            page.run(block)
            ran += 1
    return ran


@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_of_a_page_run(name, tmp_path, monkeypatch):
    blocks = [b for b in blocks_of(ROOT / name) if b.is_code]
    if all(b.has("not run") or b.has("slow") for b in blocks):
        pytest.skip("; ".join(b.texts("not run")[0] for b in blocks if b.has("not run")) or "slow")
    assert _run(name, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PAGES if any(b.has("slow") for b in blocks_of(ROOT / n))])
def test_the_slow_blocks_of_a_page_run(name, tmp_path, monkeypatch):
    assert _run(name, tmp_path, monkeypatch, slow=True)


def test_what_is_not_run_has_a_reason():
    for name in PAGES:
        for block in blocks_of(ROOT / name):
            for reason in block.texts("not run"):
                assert len(reason.split()) >= 3, f"{block.place}: say why it is not run"
            unknown = [n for n, _ in block.notes if n == "prints" and block.language != "text"]
            assert not unknown, f"{block.place}: only a text block can be compared with what is printed"


def test_tutorials_run_almost_whole():
    tutorials = [
        b for n in PAGES if n.startswith("docs/tutorials/") for b in blocks_of(ROOT / n) if b.is_code
    ]
    skipped = [b.place for b in tutorials if b.has("not run")]
    assert len(tutorials) > 12
    assert not skipped, skipped


def test_every_yaml_block_is_yaml():
    for path in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        if "_build" in path.parts:
            continue
        for block in blocks_of(path):
            if block.language == "yaml":
                assert yaml.safe_load(block.body) is not None, block.place


def test_small_sizes_replace_and_add_options():
    made = made_small("her2 trial my.yaml --patients 5000 --out 'a b' > x.txt   # why")
    assert "--patients 64" in made and "5000" not in made and "--trials 0" in made
    assert made.endswith("> x.txt") and "'a b'" in made
    assert made_small("her2 lint") == "her2 lint"
    assert made_small('her2 trial x --json | python -c "print(1)"').endswith('| python -c "print(1)"')


def test_small_sizes_are_options_with_allowed_values():
    import typer

    from her2.cli.main import app

    group = typer.main.get_command(app)
    for command, sizes in SMALL.items():
        # an unknown option, or a value outside its limits, is an error here
        what = [] if command == "claims" else ["name"]
        group.commands[command].make_context(
            command, [*what, *(word for pair in sizes.items() for word in pair)]
        )


def test_lines_are_joined_and_comments_left_out():
    body = "# only a comment\nher2 a \\\n   b\n$ her2 c   # said\n"
    assert [line.split() for line in lines_of(body)] == [
        ["her2", "a", "b"],
        ["her2", "c", "#", "said"],
    ]


def test_what_is_shown_must_have_been_printed():
    check_printed("a   1\n...\nb ... c\n", "x\na 1\ny\nb 7 8 c\n", "here")
    with pytest.raises(AssertionError, match="shown but not printed"):
        check_printed("b\na\n", "a\nb\n", "here")
    with pytest.raises(AssertionError, match="shown but not printed"):
        check_printed("a 1\n", "a 12\n", "here")


def test_a_block_that_fails_is_told_with_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = Block("docs/x.md", 7, "sh", "her2 cell NO_SUCH_LINE\n", ())
    with pytest.raises((AssertionError, Exception), match=r"docs/x\.md:7|NO_SUCH_LINE"):
        Page(tmp_path).run(block)
    assert "sh" in COMMANDS
