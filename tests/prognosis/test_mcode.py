"""mCODE bundles: the example is a case, and what is missing or wrong is found."""

import copy
import json
from pathlib import Path

import pytest

from her2.errors import RecordError
from her2.prognosis.case import read_case, with_item
from her2.prognosis.mcode import read_bundle

EXAMPLE = Path(__file__).parent / "data" / "mcode_example.json"


@pytest.fixture
def bundle():
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


def resource(bundle, name):
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["id"] == name)


def without(bundle, *names):
    return {**bundle, "entry": [e for e in bundle["entry"] if e["resource"]["id"] not in names]}


def places(case):
    return " | ".join(f"{f.place}: {f.says}" for f in case.findings)


def test_the_example_is_a_case():
    case = read_case(EXAMPLE)
    s = case.state
    assert (s.her2, s.hormone_receptor, s.setting, s.sex, s.ecog) == (
        "positive",
        "positive",
        "metastatic",
        "female",
        1,
    )
    assert (s.age, s.weight, s.lvef, s.sites) == (54.0, 66.0, 60.0, ("bone", "liver"))
    assert s.biomarkers.pik3ca == "wild_type" and s.her2_test.ihc == 3
    (line,) = s.lines
    assert line.agents == ("docetaxel", "pertuzumab", "trastuzumab")
    assert (line.best_response, line.stopped_for) == ("partial", "progression")
    assert line.months == pytest.approx(14.1)
    assert s.early.adjuvant == ("docetaxel", "trastuzumab")


def test_the_order_of_entries_does_not_matter(bundle):
    backwards = {**bundle, "entry": bundle["entry"][::-1]}
    assert read_bundle(backwards, "b").state == read_bundle(bundle, "b").state


def test_missing_resources_are_found(bundle):
    case = read_bundle(without(bundle, "her2", "her2-ihc", "er", "pr", "liver", "bone", "primary"), "b")
    text = places(case)
    for words in (
        "no HER2 status",
        "hormone receptor status is unknown",
        "no metastases",
        "no breast cancer",
    ):
        assert words in text
    assert case.state.her2 is None and case.state.setting is None


def test_wrong_fields_are_found_and_passed_over(bundle):
    broken = copy.deepcopy(bundle)
    resource(broken, "ecog")["valueInteger"] = 9
    resource(broken, "weight")["valueQuantity"]["code"] = "[lb_av]"
    resource(broken, "lvef")["valueQuantity"]["value"] = 400
    resource(broken, "er")["valueCodeableConcept"] = {"text": "perhaps"}
    resource(broken, "example-case")["birthDate"] = "soon"
    resource(broken, "status-1")["code"] = "97509-4"
    broken["entry"].append({"fullUrl": "urn:example:nothing"})
    broken["entry"].append({"resource": {"resourceType": "CarePlan", "id": "plan"}})
    case = read_bundle(broken, "b")
    text = places(case)
    for words in (
        "9; expected 0 to 4",
        "[lb_av]",
        "400 %",
        "perhaps",
        "age is unknown",
        "has no resource",
        "CarePlan",
    ):
        assert words in text, words
    assert case.state.ecog is None and case.state.weight is None and case.state.age is None
    # the progesterone receptor alone is left
    assert case.state.hormone_receptor == "negative"


def test_an_unknown_medication_stays_in_the_history(bundle):
    broken = copy.deepcopy(bundle)
    resource(broken, "l1-c")["medicationCodeableConcept"] = {"text": "trastuzumab deruxtecan"}
    case = read_bundle(broken, "b")
    assert "trastuzumab deruxtecan" in case.state.lines[0].agents
    assert "unknown drug" in places(case)


def test_an_end_before_the_start_and_a_missing_end_are_found(bundle):
    broken = copy.deepcopy(bundle)
    for name in ("l1-a", "l1-b", "l1-c"):
        resource(broken, name)["effectivePeriod"] = {"start": "2014-03-10", "end": "2013-03-10"}
        resource(broken, name)["extension"] = []
    broken = without(broken, "status-1", "status-2")
    case = read_bundle(broken, "b")
    text = places(case)
    for words in ("before it starts", "its length is unknown", "no reason why", "best response is unknown"):
        assert words in text
    assert case.state.lines[0].months is None


def test_brain_metastases_and_entered_in_error(bundle):
    changed = copy.deepcopy(bundle)
    resource(changed, "bone")["code"] = {"text": "Secondary malignant neoplasm of brain"}
    resource(changed, "pr")["status"] = "entered-in-error"
    case = read_bundle(changed, "b")
    assert case.state.cns.metastases == "untreated" and case.state.sites == ("liver",)
    assert "entered in error" in places(case)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"resourceType": "Patient"}, "expected a FHIR Bundle"),
        ({"resourceType": "Bundle"}, "expected a list of resources"),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition", "id": "x"}}]},
            "expected one Patient",
        ),
    ],
)
def test_what_is_no_bundle_of_a_patient_is_refused(data, words):
    with pytest.raises(RecordError, match=words):
        read_bundle(data, "b")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match="is not JSON"):
        read_case(path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_case(tmp_path / "none.json")


def test_plain_json_is_a_case_too(tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"her2": "positive", "lines": "none"}), encoding="utf-8")
    assert read_case(path).state.lines == ()


def test_one_item_can_be_set():
    state = read_case(EXAMPLE).state
    assert with_item(state, "biomarkers.pten", "lost").biomarkers.pten == "lost"
    with pytest.raises(RecordError, match="pten"):
        with_item(state, "biomarkers.pten", "gone")
