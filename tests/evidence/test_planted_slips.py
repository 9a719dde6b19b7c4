"""At least 95 of 100 slips of the kinds seen in the reviews are caught, by the linter or by the second
reading.

Slips are planted one at a time into copies of record entries, with a fixed seed. A slip counts as caught
when the linter returns an error or warning, or the comparison with the second reading a departure, that the
unharmed entry does not have.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from her2.evidence.lint import Context, gather, lint
from her2.evidence.readings import departures, load_reading
from her2.evidence.record import RecordFile, read_files

SEED = 20151118
PER_KIND = 10
TIMES = ("pfs", "ttp", "os")

Slip = tuple[RecordFile, str]


@pytest.fixture(scope="module")
def files():
    return read_files()


@pytest.fixture(scope="module")
def base(files):
    return gather(files)


# -- planting --------------------------------------------------------------------------------
def with_data(file: RecordFile, data: Any) -> RecordFile:
    return replace(file, data=data)


def digits(text: str) -> list[int]:
    return [
        i
        for i in range(len(text) - 1)
        if text[i].isdigit() and text[i + 1].isdigit() and text[i] != text[i + 1]
    ]


def scaled(value: dict[str, Any], factor: float) -> None:
    for key in ("value", "ci_low", "ci_high"):
        if value.get(key) is not None:
            value[key] = value[key] * factor


def reprint(value: dict[str, Any], old: float, new: float, text: str) -> None:
    """Give a figure another print, with the value that follows from it: the slip of a careful reader."""
    value["printed"] = text
    value["value"] = value["value"] * new / old


def transpose_digits(data, rng) -> str | None:
    found = [
        v for v in data["values"]
        if v.get("value") and v["statistic"] in ("median", "rate", "hr") and digits(v["printed"])
        and number(v) is not None
    ]  # fmt: skip
    if not found:
        return None
    v = found[rng.integers(len(found))]
    i = digits(v["printed"])[0]
    text = v["printed"]
    new = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    if float(number_of(new)) == 0:
        return None
    reprint(v, number(v), float(number_of(new)), new)
    return f"{v['id']}: {text} entered as {new}"


def number_of(text: str) -> str:
    import re

    found = re.findall(r"\d+(?:\.\d+)?", text)
    return found[0] if len(found) == 1 and "," not in text else "nan"


def number(v) -> float | None:
    x = float(number_of(v["printed"]))
    return x if x == x and x > 0 else None


def swap_unit(data, rng) -> str | None:
    found = [v for v in data["values"] if v.get("printed_unit") in ("months", "weeks") and v.get("value")]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    v["printed_unit"] = {"months": "weeks", "weeks": "months"}[v["printed_unit"]]
    return f"{v['id']}: unit entered as {v['printed_unit']}"


def months_for_weeks(data, rng) -> str | None:
    found = [v for v in data["values"] if v.get("printed_unit") in ("months", "weeks") and v.get("value")]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    weeks = 7 / 30.4375
    scaled(v, weeks if v["printed_unit"] == "months" else 1 / weeks)
    v["printed_unit"] = {"months": "weeks", "weeks": "months"}[v["printed_unit"]]
    return f"{v['id']}: entered in {v['printed_unit']} with the value that follows"


def exchange_arms(data, rng) -> str | None:
    pairs = [
        (a, b)
        for i, a in enumerate(data["values"])
        for b in data["values"][i + 1 : i + 3]
        if a.get("arm") and b.get("arm") and a["arm"] != b["arm"] and a["endpoint"] == b["endpoint"]
        and a["statistic"] == b["statistic"] in ("median", "rate") and a["printed"] != b["printed"]
        and a["line_start"] == b["line_start"]
    ]  # fmt: skip
    if not pairs:
        return None
    a, b = pairs[rng.integers(len(pairs))]
    a["arm"], b["arm"] = b["arm"], a["arm"]
    return f"{a['id']}: arms exchanged"


def copy_row(data, rng) -> str | None:
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for v in data["values"]:
        if (
            v.get("arm")
            and v["statistic"] == "median"
            and v["endpoint"] in TIMES
            and v.get("population", "all") == "all"
        ):
            rows.setdefault((v["endpoint"], v.get("place", "text")), {}).setdefault(v["arm"], v)
    pairs = [
        (first, second)
        for (e1, p1), first in rows.items()
        for (e2, p2), second in rows.items()
        if e1 != "os" and e2 == "os" and p1 == p2 and set(first) == set(second)
        and any(first[a]["printed"] != second[a]["printed"] for a in first)
    ]  # fmt: skip
    if not pairs:
        return None
    first, second = pairs[rng.integers(len(pairs))]
    for arm, v in second.items():
        v.update(
            printed=first[arm]["printed"], printed_unit=first[arm]["printed_unit"], value=first[arm]["value"]
        )
    return f"{next(iter(second.values()))['id']}: row copied"


def move_interval(data, rng) -> str | None:
    found = [
        v
        for v in data["values"]
        if v.get("ci_low") is not None and v.get("ci_high") is not None and v.get("value")
    ]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    if rng.integers(2):
        v["ci_high"] = v["value"] * 0.95
    else:
        v["ci_low"] = v["value"] * 1.05
    return f"{v['id']}: interval does not contain the estimate"


def wrong_percent(data, rng) -> str | None:
    found = [
        v
        for v in data["values"]
        if v["statistic"] == "rate" and v.get("printed_unit") == "%" and number(v) is not None
    ]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    old = number(v)
    new = old + (3 if old < 90 else -3)
    reprint(v, old, new, v["printed"].replace(number_of(v["printed"]), f"{new:g}"))
    return f"{v['id']}: percentage off by three points"


def truncate_n(data, rng) -> str | None:
    if data.get("n") and data["n"] >= 100 and rng.integers(2):
        data["n"] = data["n"] // 10
        if any(v["endpoint"] == "n" and not v.get("arm") for v in data["values"]):
            return f"{data['id']}: n truncated"
        return None
    found = [
        v
        for v in data["values"]
        if v["statistic"] == "n" and v.get("value", 0) and v["value"] >= 20 and number(v)
    ]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    text = number_of(v["printed"])[:-1]
    v["value"] = float(text)
    v["printed"] = v["printed"].replace(number_of(v["printed"]), text)
    return f"{v['id']}: n truncated"


def lose_nct_digit(data, rng) -> str | None:
    if not data.get("nct"):
        return None
    i = int(rng.integers(3, len(data["nct"])))
    data["nct"] = data["nct"][:i] + data["nct"][i + 1 :]
    return f"{data['id']}: {data['nct']}"


def misspell_key(data, rng) -> str | None:
    entry = data["values"][rng.integers(len(data["values"]))] if data["values"] else data
    keys = [k for k in entry if len(k) > 3]
    key = keys[rng.integers(len(keys))]
    i = int(rng.integers(1, len(key) - 1))
    entry[key[:i] + key[i + 1 :]] = entry.pop(key)
    return f"{data['id']}: key '{key}' misspelt"


def wrong_agent(data, rng) -> str | None:
    arms = [a for a in data.get("arms", ()) if a.get("agents")]
    if not arms:
        return None
    arm = arms[rng.integers(len(arms))]
    agents = list(arm["agents"])
    others = [a for a in ("lapatinib", "pertuzumab", "neratinib", "tykerbb", "afatinib") if a not in agents]
    i = int(rng.integers(len(agents)))
    old, agents[i] = agents[i], others[rng.integers(len(others))]
    arm["agents"] = agents
    return f"{data['id']}: {old} entered as {agents[i]}"


def enter_twice(data, rng) -> str | None:
    if not data["values"]:
        return None
    v = copy.deepcopy(data["values"][rng.integers(len(data["values"]))])
    v["id"] += ".again"
    data["values"].append(v)
    return f"{v['id']}: entered twice"


def swap_contrast(data, rng) -> str | None:
    found = [v for v in data["values"] if v.get("contrast") and v["statistic"] == "hr"]
    if not found:
        return None
    v = found[rng.integers(len(found))]
    c = v["contrast"]
    v["contrast"] = {"experimental": c["control"], "control": c["experimental"]}
    return f"{v['id']}: contrast reversed"


KINDS = (
    swap_unit, months_for_weeks, transpose_digits, exchange_arms, copy_row, move_interval, wrong_percent,
    truncate_n,
    lose_nct_digit, misspell_key, wrong_agent, enter_twice, swap_contrast,
)  # fmt: skip


# -- catching --------------------------------------------------------------------------------
def linted(base: Context, file: RecordFile) -> Counter[str]:
    """Errors and warnings of one study, seen beside the rest of the record."""
    alone = gather([file], numbers=None)
    record = replace(base.record, studies=alone.record.studies)
    context = Context((file,), record, alone.broken, alone.twice, base.numbers)
    found = (f for f in lint(context) if f.severity != "note" and f.file == file.shown)
    return Counter(f"{f.check}: {f.field}: {f.what}" for f in found)


def second_reading(file: RecordFile) -> Counter[str]:
    studies = gather([file], numbers=None).record.studies
    return Counter(departures([v for k in studies.values() for v in k.entry.values], load_reading(2)))


def plant(files: list[RecordFile]) -> list[tuple[str, str, RecordFile, RecordFile]]:
    """Slips: kind, what was done, the file before and after."""
    rng = np.random.default_rng(SEED)
    studies = [f for f in files if f.folder == "studies" and not f.user and f.data.get("values")]
    planted = []
    for kind in KINDS:
        done = 0
        order = [int(i) for _ in range(6) for i in rng.permutation(len(studies))]
        for i in order:
            data = copy.deepcopy(studies[i].data)
            said = kind(data, rng)
            if said is not None:
                planted.append((kind.__name__, said, studies[i], with_data(studies[i], data)))
                done += 1
            if done == PER_KIND:
                break
    return planted


def test_at_least_95_of_100_planted_slips_are_caught(files, base, capsys):
    planted = plant(files)
    assert len(planted) >= 100
    kinds = Counter(kind for kind, *_ in planted)
    assert set(kinds) == {k.__name__ for k in KINDS}, "every kind of slip is planted"
    by_lint, by_reading, missed, table = 0, 0, [], {}
    for kind, said, before, after in planted:
        lint_new = linted(base, after) - linted(base, before)
        reading_new = second_reading(after) - second_reading(before)
        by_lint += bool(lint_new)
        by_reading += bool(reading_new)
        caught = bool(lint_new or reading_new)
        row = table.setdefault(kind, [0, 0, 0, 0])
        for i, yes in enumerate((True, bool(lint_new), bool(reading_new), caught)):
            row[i] += yes
        if not caught:
            missed.append(f"{kind}: {said}")
    with capsys.disabled():
        print(f"\nplanted {len(planted)}, lint alone {by_lint}, second reading alone {by_reading}, "
              f"either {len(planted) - len(missed)}")  # fmt: skip
        for kind, row in table.items():
            print("  {:18s} planted {:3d}  lint {:3d}  second reading {:3d}  either {:3d}".format(kind, *row))
    assert len(missed) <= 0.05 * len(planted), missed
    assert by_lint >= 0.75 * len(planted), "the linter alone finds most slips"


def test_nothing_is_caught_where_nothing_was_planted(files, base):
    for file in [f for f in files if f.folder == "studies"][:20]:
        same = with_data(file, copy.deepcopy(file.data))
        assert linted(base, same) == linted(base, file)
        assert second_reading(same) == second_reading(file)
