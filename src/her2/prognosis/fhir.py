"""The parts of FHIR R4 that an mCODE bundle is read by: resources as plain data with types, all else passed over.

Whether a resource is FHIR at all is left to `fhir.resources` (the extra `fhir`); what is read of it stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from her2.errors import RecordError


class Part(BaseModel):
    """Base: what is not read may be there."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Coding(Part):
    """A code of a system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Part):
    """A concept: codings and words."""

    coding: tuple[Coding, ...] = ()
    text: str | None = None

    def has(self, *codes: str) -> bool:
        """Whether one of its codes is among these."""
        return any(c.code in codes for c in self.coding)

    def starts(self, *prefixes: str) -> bool:
        """Whether one of its codes starts with one of these, as ICD-10 codes do."""
        return any((c.code or "").startswith(prefixes) for c in self.coding)

    @property
    def words(self) -> tuple[str, ...]:
        """Its words: text and displays, lower case."""
        found = [self.text or "", *(c.display or "" for c in self.coding)]
        return tuple(w.strip().lower() for w in found if w.strip())

    @property
    def shown(self) -> str:
        """How it is named in a finding."""
        codes = [c.code for c in self.coding if c.code]
        return (self.words or tuple(codes) or ("nothing",))[0]


class Quantity(Part):
    """A number with a unit."""

    value: float | None = None
    unit: str | None = None
    code: str | None = None


class Period(Part):
    """From and to, as dates or date-times."""

    start: str | None = None
    end: str | None = None


class Extension(Part):
    """An extension by its address."""

    url: str = ""
    valueCodeableConcept: Concept | None = None


class Meta(Part):
    """Profiles a resource claims."""

    profile: tuple[str, ...] = ()


class Resource(Part):
    """What all resources have."""

    id: str = ""
    meta: Meta = Meta()
    extension: tuple[Extension, ...] = ()

    def extended(self, *endings: str) -> Concept | None:
        """Concept of the first extension whose address ends with one of these."""
        for extension in self.extension:
            if extension.url.endswith(endings) and extension.valueCodeableConcept is not None:
                return extension.valueCodeableConcept
        return None


class Patient(Resource):
    """The patient."""

    resourceType: Literal["Patient"]
    gender: str | None = None
    birthDate: str | None = None


class Condition(Resource):
    """A primary or secondary cancer, or another condition."""

    resourceType: Literal["Condition"]
    code: Concept = Concept()
    bodySite: tuple[Concept, ...] = ()
    clinicalStatus: Concept = Concept()
    onsetDateTime: str | None = None
    recordedDate: str | None = None


class Component(Part):
    """A part of an observation."""

    code: Concept = Concept()
    valueCodeableConcept: Concept | None = None
    valueQuantity: Quantity | None = None


class Observation(Resource):
    """A finding: tumour marker, performance status, variant, disease status, body measure."""

    resourceType: Literal["Observation"]
    status: str | None = None
    code: Concept = Concept()
    valueCodeableConcept: Concept | None = None
    valueInteger: int | None = None
    valueQuantity: Quantity | None = None
    valueString: str | None = None
    interpretation: tuple[Concept, ...] = ()
    component: tuple[Component, ...] = ()
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None

    @property
    def day(self) -> str:
        """Date it holds for; empty where not said."""
        period = self.effectivePeriod
        return (self.effectiveDateTime or (period.start if period is not None else "") or "")[:10]


class Repeat(Part):
    """When a medication is repeated: from and to."""

    boundsPeriod: Period | None = None


class Timing(Part):
    """The timing of a dosage."""

    repeat: Repeat | None = None


class Dosage(Part):
    """How a medication is asked for."""

    timing: Timing | None = None


class Medication(Resource):
    """A cancer-related medication that was given or asked for."""

    resourceType: Literal["MedicationAdministration", "MedicationRequest", "MedicationStatement"]
    status: str | None = None
    statusReason: tuple[Concept, ...] = ()
    medicationCodeableConcept: Concept | None = None
    effectivePeriod: Period | None = None
    effectiveDateTime: str | None = None
    authoredOn: str | None = None
    dosageInstruction: tuple[Dosage, ...] = ()

    @field_validator("statusReason", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        """One concept in a request, a list of them in an administration."""
        return (value,) if isinstance(value, dict) else value

    @property
    def period(self) -> Period:
        """From when to when it was given, or else asked for; the day of an order where nothing else is said."""
        asked = (d.timing.repeat.boundsPeriod for d in self.dosageInstruction if d.timing and d.timing.repeat)
        period = self.effectivePeriod or next((p for p in asked if p is not None), None) or Period()
        return Period(start=period.start or self.effectiveDateTime or self.authoredOn, end=period.end)


class Other(Resource):
    """A resource that is not read."""

    resourceType: str = ""


READ: dict[str, type[Resource]] = {
    "Patient": Patient,
    "Condition": Condition,
    "Observation": Observation,
    "MedicationAdministration": Medication,
    "MedicationRequest": Medication,
    "MedicationStatement": Medication,
}
"""Resources that are read."""


def is_read(data: dict[str, Any]) -> bool:
    """Whether a resource is one of those that are read, or none that FHIR knows by name."""
    kind = data.get("resourceType")
    return not isinstance(kind, str) or kind in READ


def check_resource(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Everything that is not FHIR R4 in a resource, as `fhir.resources` finds it: place, what came, what is expected.

    Raises
    ------
    her2.errors.RecordError
        If `fhir.resources` is not installed.
    """
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError as error:
        raise RecordError(
            "an mCODE bundle is checked with fhir.resources, which is not installed: pip install 'her2[fhir]', "
            "or write the case as YAML (her2 patient --template)"
        ) from error
    kind = data.get("resourceType")
    if not isinstance(kind, str) or kind not in READ:
        yield "resourceType", f"{repr(kind)[:60]} is no kind of resource", "a resource of FHIR R4"
        return
    try:
        get_fhir_model_class(str(kind)).model_validate(data)
    except ValidationError as error:
        for item in error.errors():
            yield ".".join(str(x) for x in item["loc"]) or "(resource)", *_words(item)


def _words(item: Any) -> tuple[str, str]:
    """What came and what is expected, of one error of validation."""
    came = repr(item["input"])[:60]
    if item["type"] == "missing" or item["input"] is None:
        return "missing", "an item that FHIR R4 requires"
    if item["type"] == "extra_forbidden":
        return f"got {came}", "no item of this name"
    if item["type"] in ("json_invalid", "model_type", "dict_type", "list_type", "model_attributes_type"):
        return f"got {came}", "an object or a list, as FHIR R4 has it"
    text = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"got {came}", f"what FHIR R4 has here ({text[:1].lower()}{text[1:]})"


def resource_of(data: Any) -> Resource | None:
    """A resource; None for one that is not read.

    Raises
    ------
    pydantic.ValidationError
        If a field that is read has the wrong type.
    """
    kind = data.get("resourceType") if isinstance(data, dict) else None
    model = READ.get(str(kind))
    return None if model is None else model.model_validate(data)
