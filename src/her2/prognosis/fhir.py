"""The parts of FHIR R4 that an mCODE bundle is read by: resources as plain data with types, all else passed over."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


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


class Medication(Resource):
    """A cancer-related medication that was given or asked for."""

    resourceType: Literal["MedicationAdministration", "MedicationRequest", "MedicationStatement"]
    status: str | None = None
    medicationCodeableConcept: Concept | None = None
    effectivePeriod: Period | None = None
    effectiveDateTime: str | None = None
    authoredOn: str | None = None


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
