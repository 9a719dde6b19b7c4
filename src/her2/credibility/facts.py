"""The figures of the report, read from what ships: record, posterior, scoreboard, sensitivity, trust checks, claims.

Of held-out figures only the scores over all of them are read, never a figure. Trust checks and the verdicts on claims
are files of the source checkout; an installed package has neither, and says so.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her2.errors import RecordError
from her2.evidence.load import DATA, files_of, load_parameters, read_yaml
from her2.evidence.priors import to_value
from her2.posterior import ENSEMBLE, PROVENANCE
from her2.store.files import digest_of

SCOREBOARD = DATA / "validation" / "scoreboard.json"
CHECKOUT = DATA.parent.parent.parent
TRUST = CHECKOUT / "trust" / "results"
VERDICTS = CHECKOUT / "docs" / "reference" / "claim_verdicts.md"
TRUST_PARTS = ("inputs", "http", "supply", "strength", "numbers", "shelves")
GROUPS = ("fit", "leave_one_out", "held_out")
GRADED = ("parameters", "network", "agents", "cells", "populations", "toxicity", "trials")
"""Folders of the record whose numbers carry a quality."""
QUALITIES = ("measured", "fitted", "derived", "assumed")
CENTRAL_95 = 1.959964
MISS = 2.0
"""Residual in errors of a figure from which on it is told as a miss."""


@dataclass(frozen=True)
class Facts:
    """Everything numeric of the report.

    Attributes
    ----------
    record : parameters, grades by folder, and the assumed parameters one by one
    calibration, identifiability : of the posterior
    validation : scores by group (`fit`, `leave_one_out`, `held_out`), each by name
    sensitivity : Sobol indices
    claims : counts of verdicts; empty where they are not at hand
    trust : results by part; a part that has not been run is missing
    """

    record: Mapping[str, Any]
    calibration: Mapping[str, Any]
    identifiability: Mapping[str, Any]
    validation: Mapping[str, Any]
    sensitivity: Mapping[str, Any]
    claims: Mapping[str, Any]
    trust: Mapping[str, Any]

    def find(self, path: str) -> Any:
        """A fact by its dotted path, such as `validation.held_out.coverage_90`; None where there is none."""
        found: Any = self.__dict__
        for name in path.split("."):
            if not isinstance(found, Mapping) or name not in found:
                return None
            found = found[name]
        return found


def gather(*, trust: Path = TRUST, verdicts: Path = VERDICTS, scoreboard: Path = SCOREBOARD) -> Facts:
    """Read everything.

    Parameters
    ----------
    trust : folder of results of the trust checks
    verdicts : page that `her2 claims --page` wrote
    scoreboard : JSON that `her2 validate` wrote

    Raises
    ------
    her2.errors.RecordError
        If a file is missing that ships, or does not hold what its kind holds.
    """
    return Facts(
        record=_record(),
        calibration=_calibration(),
        identifiability=_identifiability(),
        validation=_validation(scoreboard),
        sensitivity=_sensitivity(),
        claims=_claims(verdicts),
        trust=_trust(trust),
    )


def _record() -> dict[str, Any]:
    parameters = load_parameters()
    home = {
        p["id"]: path.stem
        for path in files_of("parameters")
        for p in read_yaml(path)["parameters"]
    }  # fmt: skip
    assumed = []
    for name, p in parameters.items():
        if p.quality != "assumed":
            continue
        span = [to_value(p, -CENTRAL_95), to_value(p, CENTRAL_95)] if p.prior is not None else None
        assumed.append(
            {"id": name, "label": p.label, "part": home[name], "value": p.value, "unit": p.unit, "role": p.role,
             "why": p.locator, "source": p.source, "span_95": span}
        )  # fmt: skip
    roles = Counter(p.role for p in parameters.values())
    return {
        "parameters": len(parameters),
        "free": roles["free"],
        "fixed": roles["fixed"],
        "with_prior": sum(p.prior is not None for p in parameters.values()),
        "fixed_without_prior": sum(p.prior is None and p.role == "fixed" for p in parameters.values()),
        "grades": {folder: _grades(folder) for folder in GRADED},
        "assumed": assumed,
    }


def _grades(folder: str) -> dict[str, int]:
    """Numbers of a folder by their quality."""
    count: Counter[str] = Counter()
    for path in sorted((DATA / folder).rglob("*.yaml")):
        count.update(_qualities(read_yaml(path)))
    return {q: count[q] for q in QUALITIES}


def _qualities(x: Any) -> Iterator[str]:
    if isinstance(x, dict):
        if isinstance(x.get("quality"), str):
            yield x["quality"]
        for v in x.values():
            yield from _qualities(v)
    elif isinstance(x, list):
        for v in x:
            yield from _qualities(v)


def _provenance() -> dict[str, Any]:
    data = read_yaml(PROVENANCE)
    if not isinstance(data, dict) or "parameters" not in data or "targets" not in data:
        raise RecordError(
            f"posterior/{PROVENANCE.name}: expected method, parameters and targets; `her2 calibrate --out` "
            f"writes them"
        )
    return data


def _calibration() -> dict[str, Any]:
    data = _provenance()
    residuals = [float(t["residual_in_sd"]) for t in data["targets"]]
    fresh = [float(t["on_fresh_patients"]) for t in data["targets"] if "on_fresh_patients" in t]
    claims = data.get("claims", [])
    return {
        "method": data.get("method", ""),
        "settings": data.get("settings", {}),
        "digest": data.get("digest", ""),
        "posterior": digest_of(ENSEMBLE.read_bytes()),
        "converged": data.get("converged"),
        "birge_ratio": data.get("birge_ratio"),
        "nonlinearity": data.get("nonlinearity"),
        "misfit_by_step": data.get("misfit_by_step", []),
        "figures": len(residuals),
        "rms_residual": _rms(residuals),
        "rms_residual_fresh": _rms(fresh) if fresh else None,
        "misses": sum(abs(r) > MISS for r in residuals),
        "largest": max((abs(r) for r in residuals), default=None),
        "soft_claims": len(claims),
        "soft_claims_short": sum(float(c["model"]) < float(c["margin"]) for c in claims),
    }


def _identifiability() -> dict[str, Any]:
    from her2.sensitivity.store import read_report

    parameters = _provenance()["parameters"]
    shipped = read_report()
    rows = [
        {
            "id": k,
            "sd_ratio": float(v["sd_ratio"]),
            "shift": float(v["shift_in_prior_sd"]),
            "informed": bool(v["informed"]),
        }
        for k, v in parameters.items()
    ]
    informed = sum(r["informed"] for r in rows)
    return {
        "parameters": sorted(rows, key=lambda r: r["sd_ratio"]),
        "free": len(rows),
        "informed": informed,
        "share_informed": informed / len(rows) if rows else 0.0,
        "beyond_two_sd": sum(abs(r["shift"]) > 2.0 for r in rows),
        "directions": sum(float(s) > 1.0 for s in shipped.provenance.get("singular_values", ())),
        "factors": len(shipped.local),
        "cannot_be_told_apart": len(shipped.pairs),
    }


def _validation(path: Path) -> dict[str, Any]:
    """Scores over all figures of a group; the figures themselves are not read."""
    if not path.exists():
        return {"current": None}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        scores, settings, digest = data["scores"], data["settings"], data["posterior_digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"validation/{path.name}: no scoreboard ({error}); `her2 validate` writes one"
        ) from error
    kept = ("says", "n", "unit", "value", "low95", "high95", "nominal", "beats")
    return {
        "current": digest == digest_of(ENSEMBLE.read_bytes()),
        "digest": data.get("digest", ""),
        "settings": settings,
        "between_trial_sd": data.get("between_trial_sd", {}),
        **{g: {name: {k: s[k] for k in kept if k in s} for name, s in scores.get(g, {}).items()} for g in GROUPS},
    }  # fmt: skip


def _sensitivity() -> dict[str, Any]:
    from her2.sensitivity.store import is_current, read_report

    shipped = read_report()
    cases = [c.case for c in shipped.cases]
    totals: dict[str, list[float]] = {}
    for row in shipped.indices:
        totals.setdefault(row.factor, []).append(row.total)
    leading = Counter(shipped.top(case, 1)[0].factor for case in cases if shipped.top(case, 1))
    return {
        "current": is_current(shipped),
        "cases": len(cases),
        "evaluations": shipped.provenance.get("evaluations"),
        "factors_screened": shipped.provenance.get("factors_screened"),
        "factors_varied": shipped.provenance.get("factors_varied"),
        "samples": shipped.provenance.get("samples"),
        "left_out_largest": max(c.left_out for c in shipped.cases),
        "factors": sorted(
            (
                {"factor": f, "cases": len(t), "mean_total": sum(t) / len(t), "largest_total": max(t),
                 "leads": leading[f]}
                for f, t in totals.items()
            ),
            key=lambda r: -r["mean_total"] * r["cases"],
        ),
    }  # fmt: skip


_COUNTS = re.compile(
    r"(?P<executable>\d+) executable claims: (?P<run>\d+) run, (?P<reproduced>\d+) reproduced, "
    r"(?P<divided>\d+) divided, "
    r"(?P<contradicted>\d+) contradicted"
)
_UNTOUCHED = re.compile(
    r"Without claims that took part in choosing structure or parameters: (?P<run>\d+) run, "
    r"(?P<reproduced>\d+) reproduced, "
    r"(?P<divided>\d+) divided, (?P<contradicted>\d+) contradicted"
)
_NOT_COVERED = re.compile(r"(\d+) not covered")


def _claims(page: Path) -> dict[str, Any]:
    """Counts of the page of verdicts; empty without one."""
    if not page.exists():
        return {}
    text = page.read_text(encoding="utf-8")
    every, untouched, not_covered = _COUNTS.search(text), _UNTOUCHED.search(text), _NOT_COVERED.search(text)
    if not every or not untouched:
        return {}
    rest = {k: int(v) for k, v in untouched.groupdict().items()}
    return {
        **{k: int(v) for k, v in every.groupdict().items()},
        "not_covered": int(not_covered.group(1)) if not_covered else 0,
        "untouched": rest,
        "untouched_reproduced": rest["reproduced"] / rest["run"] if rest["run"] else None,
        "untouched_contradicted": rest["contradicted"] / rest["run"] if rest["run"] else None,
    }


def _trust(folder: Path) -> dict[str, Any]:
    """Results of the trust checks at full size, by part."""
    found: dict[str, Any] = {}
    for part in TRUST_PARTS:
        path = folder / f"{part}.json"
        if not path.is_file():
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            found[part] = {"met": bool(data["met"]), "figures": list(data["figures"]), "date": data["date"],
                           "model": data["model_digest"], "posterior": data["posterior_digest"]}  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"trust/results/{path.name}: no result of a trust check ({error})") from error
    return found


def _rms(values: list[float]) -> float:
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else 0.0
