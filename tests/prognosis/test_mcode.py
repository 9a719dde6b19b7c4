"""mCODE bundles: the example is a case, and what is missing or wrong is found."""

import copy
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

pytest.importorskip("fhir.resources", reason="a bundle is checked with the extra fhir")

from her2.errors import RecordError
from her2.prognosis.case import case_yaml, read_case, with_item
from her2.prognosis.mcode import read_bundle
from her2.units import DAYS_PER_MONTH

EXAMPLE = Path(__file__).parent / "data" / "mcode_example.json"
GUIDE = Path(__file__).parent / "data" / "mcode_guide_patient.json"


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


def break_fields(bundle):
    """The example with a wrong value in eight places, four of them no FHIR."""
    broken = copy.deepcopy(bundle)
    resource(broken, "ecog")["valueInteger"] = 9
    resource(broken, "weight")["valueQuantity"]["code"] = "[stone_av]"
    resource(broken, "lvef")["valueQuantity"]["value"] = 400
    resource(broken, "er")["valueCodeableConcept"] = {"text": "perhaps"}
    resource(broken, "example-case")["birthDate"] = "soon"
    resource(broken, "status-1")["code"] = "97509-4"
    del resource(broken, "her2-ihc")["status"]
    broken["entry"].append({"fullUrl": "urn:example:nothing"})
    broken["entry"].append({"resource": {"resourceType": "CarePlan", "id": "plan"}})
    return broken


WRONG = (
    "(Observation/ecog), valueInteger: ECOG performance status 9; expected 0 to 4; mend or delete it",
    "(Observation/weight), valueQuantity: weight in '[stone_av]'; expected a number in kg",
    "(Observation/lvef), valueQuantity: lvef 400 %; expected 5 to 90 %",
    "(Observation/er), valueCodeableConcept: 'perhaps' is not understood; expected positive or negative",
    "(Patient/example-case), birthDate: got 'soon'; expected what FHIR R4 has here",
    "(Observation/status-1), code: got '97509-4'; expected an object",
    "has no resource; expected a FHIR resource",
)


def test_wrong_fields_are_found_and_passed_over(bundle):
    case = read_bundle(break_fields(bundle), "b")
    text = places(case)
    wrong = [f.text for f in case.findings if f.wrong]
    for words in WRONG:
        assert any(words in f for f in wrong), words
    assert any("her2-ihc" in f for f in wrong)
    # what is not read is said, and nothing to mend
    assert "CarePlan" in text and not any("CarePlan" in f for f in wrong)
    s = case.state
    assert s.ecog is None and s.weight is None and s.age is None and s.sex is None and s.her2_test.ihc is None
    # the progesterone receptor alone is left
    assert s.hormone_receptor == "negative"


def test_a_wrong_bundle_is_an_error_with_every_finding_unless_read_leniently(bundle, tmp_path):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(break_fields(bundle)), encoding="utf-8")
    with pytest.raises(RecordError, match="findings to be mended") as error:
        read_case(path)
    for words in (*WRONG, "--lenient", "CarePlan"):
        assert words in str(error.value), words
    assert read_case(path, lenient=True) == read_bundle(break_fields(bundle), str(path))


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        (("her2", "her2-ihc"), "Observation (HER2): missing: no HER2 status"),
        (("primary",), "Condition (primary cancer): missing: no breast cancer"),
    ],
)
def test_without_what_every_case_needs_nothing_is_said(bundle, tmp_path, left_out, words):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(without(bundle, *left_out)), encoding="utf-8")
    with pytest.raises(RecordError, match="1 finding to be mended") as error:
        read_case(path)
    assert words in str(error.value) and "expected" in str(error.value)


def test_without_the_extra_the_error_names_it(bundle, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "fhir.resources.R4B", None)
    with pytest.raises(RecordError, match=r"her2\[fhir\]"):
        read_bundle(bundle, "b")


def test_the_patient_of_the_mcode_guide_loads():
    """A bundle in the shape and with the codes of the extended example of the mCODE guide (STU 4): early disease.

    Written for this test: HER2-negative, weight in pounds, orders of curative intent, a variant of a gene that is no part
    of a case, TNM and other resources beside.
    """
    case = read_case(GUIDE)
    s = case.state
    assert not any(f.wrong for f in case.findings)
    assert (s.her2, s.hormone_receptor, s.ecog, s.sex, s.age) == ("negative", "positive", 0, "female", 53.0)
    assert s.weight == pytest.approx(155 * 0.45359237, abs=0.05)
    assert s.early.adjuvant == ("anastrozole", "cyclophosphamide", "doxorubicin", "paclitaxel")
    assert s.early.months_since_taxane is not None
    assert s.setting is None and s.lines is None
    text = places(case)
    for words in ("variant of 'PALB2'", "no metastases", "not read: FamilyMemberHistory, Procedure"):
        assert words in text, words


def test_administrations_one_by_one_are_one_line(bundle):
    """A record of single infusions, every three weeks, is the line that a period would say."""
    infusions = copy.deepcopy(without(bundle, "l1-a", "l1-b", "l1-c"))
    periods = [resource(bundle, f"l1-{k}") for k in "abc"]
    for given in periods:
        start = date.fromisoformat(given["effectivePeriod"]["start"])
        end = date.fromisoformat(given["effectivePeriod"]["end"])
        for k in range((end - start).days // 21 + 1):
            one = {key: value for key, value in given.items() if key != "effectivePeriod"}
            one |= {"id": f"{given['id']}-{k}", "effectiveDateTime": str(start + timedelta(days=21 * k))}
            infusions["entry"].append({"resource": one})
    single, spans = (read_bundle(b, "b").state.lines for b in (infusions, bundle))
    assert len(single) == len(spans) == 1
    assert single[0].agents == spans[0].agents and single[0].stopped_for == spans[0].stopped_for
    # the last infusion is at most one cycle before the recorded end
    assert 0.0 <= spans[0].months - single[0].months <= 21 / DAYS_PER_MONTH


def test_a_pause_of_more_than_two_months_begins_a_new_line(bundle):
    later = copy.deepcopy(bundle)
    again = copy.deepcopy(resource(bundle, "l1-c"))
    again |= {"id": "later", "effectivePeriod": {"start": "2015-09-05", "end": "2015-12-05"}}
    later["entry"].append({"resource": again})
    first, second = read_bundle(later, "b").state.lines
    assert first.agents == ("docetaxel", "pertuzumab", "trastuzumab")
    assert len(second.agents) == 1 and set(second.agents) < set(first.agents)
    again["effectivePeriod"]["start"] = (
        "2015-06-20"  # under two months after the end: the same course goes on
    )
    (only,) = read_bundle(later, "b").state.lines
    assert only.months > first.months


def test_the_reason_of_an_end_is_read_where_stu_4_has_it(bundle):
    changed = copy.deepcopy(without(bundle, "status-1", "status-2"))
    reason = [{"coding": [{"system": "http://snomed.info/sct", "code": "407563006"}]}]
    for name in ("l1-a", "l1-b", "l1-c"):
        resource(changed, name).pop("extension", None)
        resource(changed, name)["statusReason"] = reason
    assert read_bundle(changed, "b").state.lines[0].stopped_for == "toxicity"


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("10 ML doxorubicin hydrochloride 2 MG/ML Injection", "doxorubicin"),
        ("trastuzumab-dkst 420 MG Injection", "trastuzumab"),
        ("trastuzumab and hyaluronidase-oysk", "trastuzumab"),
        ("lapatinib ditosylate 250 MG Oral Tablet", "lapatinib"),
        ("ado-trastuzumab emtansine", "t_dm1"),
        ("trastuzumab deruxtecan", None),
        ("fam-trastuzumab deruxtecan-nxki", None),
        ("doxorubicin liposome", None),
    ],
)
def test_names_of_medications_are_understood_and_no_other_drug_is_taken_for_one(name, agent):
    from her2.prognosis.fhir import Concept
    from her2.prognosis.mcode import _agent

    assert _agent(Concept(text=name)) == agent


def test_an_administration_without_intent_has_that_of_its_order(bundle):
    """The guide orders doxorubicin with curative intent and records one infusion without any."""
    changed = json.loads(GUIDE.read_text(encoding="utf-8"))
    del resource(changed, "doxorubicin-given")["extension"]
    assert read_bundle(changed, "b").state == read_case(GUIDE).state


def test_without_an_intent_what_came_before_the_metastases_was_for_early_disease(bundle):
    changed = copy.deepcopy(bundle)
    for entry in changed["entry"]:
        entry["resource"].pop("extension", None)
    assert len(read_bundle(changed, "b").state.lines) == 2
    for name in ("liver", "bone"):
        resource(changed, name)["onsetDateTime"] = "2014-03"
    state = read_bundle(changed, "b").state
    assert len(state.lines) == 1 and state.early.adjuvant == ("docetaxel", "trastuzumab")


def test_supportive_drugs_are_no_line(bundle):
    changed = copy.deepcopy(bundle)
    changed["entry"].append(
        {
            "resource": {
                "resourceType": "MedicationAdministration", "id": "support", "status": "completed",
                "subject": {"reference": "Patient/example-case"}, "effectiveDateTime": "2014-01-05",
                "medicationCodeableConcept": {"text": "ondansetron"},
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent",
                        "valueCodeableConcept": {"coding": [{"code": "399707004"}]},
                    }
                ],
            }
        }
    )  # fmt: skip
    assert read_bundle(changed, "b").state == read_bundle(bundle, "b").state


def test_an_equivocal_marker_is_unknown_and_nothing_to_mend(bundle):
    changed = copy.deepcopy(bundle)
    resource(changed, "er")["valueCodeableConcept"] = {"text": "Equivocal"}
    case = read_bundle(changed, "b")
    assert "neither yes nor no" in places(case) and not any(f.wrong for f in case.findings)


def test_a_case_can_be_written_as_yaml_and_read_again(tmp_path):
    state = read_case(EXAMPLE).state
    path = tmp_path / "case.yaml"
    path.write_text(case_yaml(state), encoding="utf-8")
    assert read_case(path).state == state


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
