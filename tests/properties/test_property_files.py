"""Files: what is written is read back, what is hostile is refused by an error of the program, order does not matter."""

from __future__ import annotations

import copy
import json
import math
import random as random_module
from pathlib import Path

import pytest
import yaml
from attempts import attempt
from hypothesis import assume, given
from hypothesis import strategies as st

from her2.errors import Her2Error, RecordError
from her2.evidence.csv_text import safe_text
from her2.evidence.load import parse
from her2.evidence.reading import MAX_DEPTH, check_data, parse_json, parse_yaml, read_text
from her2.evidence.schema import Agent, Parameter, RecipeValue, Study
from her2.trials.design import Trial, load_trial
from her2.validation.forecast import check_forecast, content_digest

# characters that are seen; the others are refused, see the tests of hostile input
SEEN = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf"), exclude_characters="\ufffe\uffff")
TEXT = st.text(SEEN, max_size=30)
KEY = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12).filter(
    lambda k: k not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=20,
)
BUNDLE = Path(__file__).parent.parent / "prognosis" / "data" / "mcode_example.json"


@given(PLAIN)
def test_property_plain_data_written_as_yaml_is_read_back(data):
    text = yaml.dump(data, Dumper=_NoAnchors, allow_unicode=True, sort_keys=False)
    assert parse_yaml(text, "x") == data


class _NoAnchors(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


@given(PLAIN)
def test_property_plain_data_written_as_json_is_read_back(data):
    assert parse_json(json.dumps(data), "x") == data


@given(
    PLAIN,
    st.sampled_from(
        [math.nan, math.inf, -math.inf, 2**63, -(2**64), 10**400, "\x1b[31m", "\x00", "\u202ex", "\ud800"]
    ),
)
def test_property_a_hostile_value_is_found_wherever_it_stands(data, hostile):
    for k in range(len(list(_lists_and_dicts(data)))):
        copied = copy.deepcopy(data)
        inside = list(_lists_and_dicts(copied))[k]
        if isinstance(inside, dict):
            inside["z"] = hostile
        else:
            inside.append(hostile)
        with pytest.raises(RecordError):
            check_data(copied, "x")
    with pytest.raises(RecordError):
        check_data([data, hostile], "x")


def _lists_and_dicts(data):
    if isinstance(data, list | dict):
        yield data
        for item in data.values() if isinstance(data, dict) else data:
            yield from _lists_and_dicts(item)


@given(st.integers(1, 2 * MAX_DEPTH), st.booleans())
def test_property_depth_is_refused_beyond_the_limit_and_only_there(depth, is_list):
    text = "[" * depth + "1" + "]" * depth if is_list else "{a: " * depth + "1" + "}" * depth
    if depth <= MAX_DEPTH:
        assert parse_yaml(text, "x") is not None
    else:
        with pytest.raises(RecordError, match="nested deeper"):
            parse_yaml(text, "x")


@given(st.dictionaries(KEY, st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_property_a_key_given_twice_is_refused_at_its_line(data, drawn):
    lines = [f"{k}: {v}" for k, v in data.items()]
    again = drawn.draw(st.sampled_from(sorted(data)))
    with pytest.raises(RecordError, match=f"line {len(lines) + 1}: key '{again}' given twice"):
        parse_yaml("\n".join([*lines, f"{again}: 5"]), "x")
    pairs = ", ".join(f'"{k}": {v}' for k, v in [*data.items(), (again, 5)])
    with pytest.raises(RecordError, match="given twice"):
        parse_json("{" + pairs + "}", "x")


@given(st.binary(max_size=200))
def test_property_any_bytes_are_read_or_refused(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    for reader in (parse_yaml, parse_json):
        data, error = attempt(RecordError, lambda reader=reader: reader(read_text(path, "x"), "x"))
        check_data(data, "x")
        assert error is None or str(error).startswith("x")


@given(st.text(max_size=200))
def test_property_any_text_is_yaml_or_refused(text):
    data, error = attempt(RecordError, parse_yaml, text, "x")
    check_data(data, "x")
    assert error is None or str(error).startswith("x")


@given(st.sampled_from([Agent, Parameter, Study, Trial, RecipeValue]), PLAIN)
def test_property_any_data_is_an_entry_or_refused(model, data):
    entry, error = attempt(RecordError, parse, model, data, "x")
    if error is None:
        assert isinstance(data, dict) and isinstance(entry, model)
    else:
        assert str(error).startswith("x")


@given(
    st.sampled_from(["nan", "inf", "-inf", "1e400", "-1e400", "Infinity", "NaN", "9" * 400, "1e999999"]),
    st.booleans(),
)
def test_property_no_spelling_of_a_number_that_is_not_finite_gets_in(word, quoted):
    text = (
        f"value: {json.dumps(word) if quoted else word}\nunit: '1'\nquality: assumed\nsource: a\nlocator: b\n"
    )
    with pytest.raises(RecordError, match="value"):
        parse(RecipeValue, parse_yaml(text, "x"), "x")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_property_a_number_of_the_record_keeps_every_digit(value):
    text = f"value: {value!r}\nunit: '1'\nquality: assumed\nsource: a\nlocator: b\n"
    assert parse(RecipeValue, parse_yaml(text, "x"), "x").value == value


@given(st.permutations(["id", "title", "study", "population", "randomisation", "accrual", "arms", "control", "scans",
                        "endpoints", "analyses", "drop_out", "estimand"]))  # fmt: skip
def test_property_a_trial_does_not_depend_on_the_order_of_its_keys(order):
    data = _cleopatra()
    shuffled = {k: data[k] for k in [*(k for k in order if k in data), *(k for k in data if k not in order)]}
    assert parse(Trial, shuffled, "x") == parse(Trial, data, "x")


def _cleopatra():
    path = Path(__file__).parent.parent.parent / "src/her2/data/trials/cleopatra.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@given(st.integers(2, 20), st.sampled_from(["week", "month", "year"]))
def test_property_a_trial_says_the_same_in_every_unit_of_time(months, unit):
    data = _cleopatra()
    size = {"week": 7.0, "month": 30.4375, "year": 365.25}[unit]
    data["accrual"]["duration"] = f"{months * 30.4375 / size:.15g} {unit}s"
    assert parse(Trial, data, "x").accrual.duration == pytest.approx(months * 30.4375, rel=1e-14)


@given(st.data())
def test_property_a_trial_with_one_key_misspelt_is_refused_by_name(data):
    trial = _cleopatra()
    key = data.draw(st.sampled_from(sorted(trial)))
    trial[key + "x"] = trial.pop(key)
    with pytest.raises(RecordError, match=f"{key}"):
        parse(Trial, trial, "x")


@given(st.sampled_from(["cleopatra", "gbg_26", "emilia", "slamon_2001", "altto", "neosphere"]))
def test_property_a_trial_written_from_its_data_is_the_same_trial(tmp_path, name):
    from her2.trials.design import trial_path

    path = tmp_path / "again.yaml"
    data = yaml.safe_load(trial_path(name).read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    assert load_trial(str(path)) == load_trial(name)


@given(PLAIN.filter(lambda x: isinstance(x, dict)), st.randoms())
def test_property_the_digest_of_a_forecast_knows_content_not_order(content, random):
    keys = list(content)
    random.shuffle(keys)
    assert content_digest(content) == content_digest({k: content[k] for k in keys})
    if keys and keys[0] not in ("digest", "date"):
        changed = {**content, keys[0]: [content[keys[0]], "changed"]}
        assert content_digest(changed) != content_digest(content)


@given(st.data())
def test_property_a_frozen_forecast_with_any_byte_changed_is_refused(tmp_path, data):
    content = {"kind": "her2 forecast", "format": 1, "trial": "a", "date": "2026-01-01T00:00:00Z", "version": "0.1.0",
               "arms": [{"endpoint": "pfs", "predicted": 12.5}]}  # fmt: skip
    content["prediction_digest"] = content_digest(content, ("digest", "date", "prediction_digest"))
    content["digest"] = content_digest(content)
    text = json.dumps(content)
    path = tmp_path / "x.forecast.json"
    path.write_text(text, encoding="utf-8")
    assert check_forecast(path) == content
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from('0aZ{}",: '))
    changed = text[:at] + letter + text[at + 1 :]
    same, _ = attempt(ValueError, json.loads, changed)
    assume(same != content)
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(RecordError):
        check_forecast(path)


@given(st.text(max_size=40))
def test_property_no_cell_of_a_sheet_begins_a_formula(text):
    safe = safe_text(text)
    begins = safe.lstrip()[:1] in tuple("=+-@＝＋－＠") and any(c.isalpha() or c in "(|!" for c in safe)
    assert not begins
    assert safe_text(safe) == safe
    assert safe.removeprefix("'") in (text.replace("\r", " "), text.replace("\r", " ").removeprefix("'"))


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["{:.3f}", "+{:.2f}", "-{:.1f} %", "= {:.2f}"]),
)
def test_property_a_printed_number_stays_a_number_in_a_sheet(value, form):
    text = form.format(abs(value) % 1e6)
    assert safe_text(text) == text


@given(st.integers(0, 2**32))
def test_property_a_bundle_says_the_same_in_any_order(seed):
    pytest.importorskip("fhir.resources")
    from her2.prognosis.mcode import read_bundle

    data = json.loads(BUNDLE.read_text(encoding="utf-8"))
    before = read_bundle(data, "x").state
    random_module.Random(seed).shuffle(data["entry"])
    assert read_bundle(data, "x").state == before


@given(st.integers(-3000, 3000))
def test_property_a_bundle_says_the_same_at_another_time(days):
    pytest.importorskip("fhir.resources")
    from datetime import date, timedelta

    from her2.prognosis.mcode import read_bundle

    def moved(value):
        if isinstance(value, dict):
            return {k: moved(v) for k, v in value.items()}
        if isinstance(value, list):
            return [moved(v) for v in value]
        if isinstance(value, str) and len(value) >= 10 and value[4:5] == value[7:8] == "-":
            try:
                day = date.fromisoformat(value[:10])
            except ValueError:
                return value
            return (day + timedelta(days=days)).isoformat() + value[10:]
        return value

    data = json.loads(BUNDLE.read_text(encoding="utf-8"))
    before, after = read_bundle(data, "x").state, read_bundle(moved(data), "x").state
    # the year of birth is given without a day, and stays
    assert before.model_copy(update={"age": None}) == after.model_copy(update={"age": None})


@given(st.sampled_from(["Encounter", "Procedure", "Organization"]), st.integers(1, 5))
def test_property_resources_that_are_not_read_change_nothing(kind, n):
    pytest.importorskip("fhir.resources")
    from her2.prognosis.mcode import read_bundle

    data = json.loads(BUNDLE.read_text(encoding="utf-8"))
    before = read_bundle(data, "x").state
    data["entry"] += [{"resource": {"resourceType": kind, "id": f"x{k}"}} for k in range(n)]
    assert read_bundle(data, "x").state == before


@given(st.text(max_size=60))
def test_property_any_name_is_a_trial_or_an_error(name):
    assume("/" not in name and "\\" not in name)
    try:
        load_trial(name)
    except Her2Error:
        return
    from her2.trials.design import trial_names

    assert name in trial_names()
