"""Antimony to SBML Level 3 Version 2, checked with libSBML.

Needs the optional packages of `pip install "her2[sbml]"`.
"""

from __future__ import annotations

from typing import Any

from her2.errors import Her2Error

LEVEL, VERSION = 3, 2


def to_sbml(text: str, *, plain_numbers: bool = False) -> str:
    """SBML Level 3 Version 2 of one Antimony model.

    The document passes libSBML's consistency check without errors; warnings about the units of literal
    numbers are allowed.

    Parameters
    ----------
    plain_numbers : say of every literal number in the mathematics that it is dimensionless, so that units can be
        checked throughout; right where all quantities with a unit have a name

    Raises
    ------
    ImportError
        If the packages `antimony` or `python-libsbml` are not installed.
    her2.errors.Her2Error
        If the text is no Antimony, or the document has errors.
    """
    antimony, libsbml = _packages()
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise Her2Error(f"Antimony text: {antimony.getLastError()}")
    sbml = antimony.getSBMLString(antimony.getMainModuleName())
    document = libsbml.readSBMLFromString(sbml)
    if (document.getLevel(), document.getVersion()) != (LEVEL, VERSION) and not document.setLevelAndVersion(
        LEVEL, VERSION
    ):
        raise Her2Error(
            f"SBML: cannot be written as Level {LEVEL} Version {VERSION}; {'; '.join(_errors(document))}"
        )
    if plain_numbers:
        _mark_numbers(document.getModel())
    document.checkConsistency()
    found = _errors(document)
    if found:
        raise Her2Error(f"SBML: {len(found)} errors, the first: {found[0]}")
    return str(libsbml.writeSBMLToString(document))


def _packages() -> tuple[Any, Any]:
    try:
        import antimony
        import libsbml
    except ImportError as missing:
        raise ImportError(f'SBML export needs {missing.name}; pip install "her2[sbml]"') from missing
    return antimony, libsbml


def _mark_numbers(model: Any) -> None:
    """Gives every literal number in rules, rates and functions the unit `dimensionless`."""
    found = [model.getRule(k).getMath() for k in range(model.getNumRules())]
    found += [model.getInitialAssignment(k).getMath() for k in range(model.getNumInitialAssignments())]
    found += [model.getFunctionDefinition(k).getMath() for k in range(model.getNumFunctionDefinitions())]
    found += [model.getReaction(k).getKineticLaw().getMath() for k in range(model.getNumReactions())]
    while found:
        node = found.pop()
        if node.isNumber() and not node.isSetUnits():
            node.setUnits("dimensionless")
        found += [node.getChild(k) for k in range(node.getNumChildren())]


def _errors(document: Any) -> list[str]:
    """Findings of libSBML that are errors, not warnings."""
    import libsbml

    findings = (document.getError(k) for k in range(document.getNumErrors()))
    return [f.getMessage().strip() for f in findings if f.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
