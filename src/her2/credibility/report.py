"""The credibility report as one JSON object and as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from her2.credibility.facts import GRADED, GROUPS, QUALITIES, Facts
from her2.credibility.judge import Judged, conclusion, judge, risk_of, strength
from her2.credibility.statements import load_assumptions, load_categories, load_context, load_goals
from her2.trials.pictures.style import NOTICE

PART_PAGES = {
    "cell": ("single cells", "explanation/phenotype.md"),
    "cohort": ("claims about patients", "explanation/claims.md"),
    "kill": ("drugs", "explanation/drugs.md"),
    "pharmacodynamics": ("drugs", "explanation/drugs.md"),
    "population": ("patients", "explanation/patients.md"),
    "receptors": ("receptors", "explanation/receptors.md"),
    "signalling": ("pathways", "explanation/pathways.md"),
    "tumour": ("tumour", "explanation/tumour.md"),
}
"""Where the parameters of a file act: in words, and the page with the equations."""
GROUP_SAYS = {"fit": "fitted", "leave_one_out": "trial left out", "held_out": "held out"}
BASELINES = ("null_model", "nearest_arm", "class_mean", "constant_hr")
TRUST_TITLES = {
    "inputs": "bad input in bulk", "http": "the server", "supply": "supply chain", "strength": "strength of the tests",
    "numbers": "numbers", "shelves": "tests by the strength of their evidence",
}  # fmt: skip
TOP_FACTORS = 12
LEVELS = ("low", "medium", "high")


def as_json(facts: Facts) -> dict[str, Any]:
    """The report as data: statements, facts, goals with their outcomes, categories, conclusions."""
    judged = judge_all(facts)
    context = load_context()
    return {
        "kind": "her2 credibility report",
        "context": {
            "purpose": context.purpose,
            "model": context.model,
            "users": [u.model_dump() for u in context.users],
            "questions": [
                {
                    **q.model_dump(mode="json"),
                    "risk": risk_of(q.influence, q.consequence),
                    "conclusion": conclusion(q, judged),
                }
                for q in context.questions
            ],
            "not_for": [
                {**x.model_dump(), "risk": risk_of(x.influence, x.consequence)} for x in context.not_for
            ],
        },
        "goals": [
            {**j.goal.model_dump(mode="json"), "found": j.shown, "outcome": j.outcome}
            for j in judged.values()
        ],
        "categories": [
            {**c.model_dump(), "strength": strength(c, judged.values())} for c in load_categories()
        ],
        "assumptions": [a.model_dump() for a in load_assumptions()],
        "facts": asdict(facts),
        "notice": NOTICE,
    }


def judge_all(facts: Facts) -> dict[str, Judged]:
    """Every goal held against the facts, by id."""
    return {name: judge(goal, facts) for name, goal in load_goals().items()}


def page(facts: Facts) -> str:
    """The report as Markdown: `docs/credibility.md`."""
    judged = judge_all(facts)
    sections = (
        _head(facts),
        _context(judged),
        _risk(),
        _goals(judged),
        _categories(judged),
        _verification(facts),
        _calibration(facts),
        _validation(facts),
        _intervals(facts),
        _sensitivity(facts),
        _identifiability(facts),
        _provenance(facts),
        _assumptions(),
        _limits(),
        _assumed_numbers(facts),
    )
    return "\n\n".join(s.strip("\n") for s in sections) + "\n"


def _head(facts: Facts) -> str:
    c = facts.calibration
    current = {
        True: "the same",
        False: "**another one**, so that those figures are out of date",
        None: "none",
    }
    return f"""# Credibility

How far the model may be believed, and for what. Written by `her2 credibility --out docs/credibility.md` (`make
credibility`) from what ships with the package; every figure on this page is read or computed by that command, and only
words come from its files. Terms are those of ICH M15 (model-informed drug development), ASME V&V 40 (risk-informed
credibility) and the FDA's guidance of 2023 on the credibility of computational modelling.

Posterior `{c["posterior"][:12]}`, fit `{c["digest"][:12]}`. The posterior of the validation is \
{current[facts.validation["current"]]}; that of the sensitivity analysis is {current[facts.sensitivity["current"]]}.

**{NOTICE}**"""


def _context(judged: Mapping[str, Judged]) -> str:
    context = load_context()
    users = {u.id: u for u in context.users}
    lines = [
        "## Context of use",
        "",
        context.purpose,
        "",
        f"**The model.** {context.model}",
        "",
        _table(("users", "know"), [(u.name, u.knows) for u in context.users]),
        "",
        "### Questions of interest",
        "",
    ]
    for q in context.questions:
        risk = risk_of(q.influence, q.consequence)
        lines += [
            f"**{users[q.user].name}:** {q.asks}",
            "",
            f"- *What an answer decides:* {q.decides}.",
            f"- *Model influence:* {q.influence}; {q.influence_why}.",
            f"- *Consequence of a wrong decision:* {q.consequence}; {q.consequence_why}.",
            f"- *Model risk:* {risk}.",
            f"- *What an answer may rest on, by the goals below:* {conclusion(q, judged)}.",
            "",
        ]
    lines += ["### What it must not be used for", ""]
    lines += [
        f"- **{_capital(x.use)}** (influence {x.influence}, consequence {x.consequence}, risk "
        f"{risk_of(x.influence, x.consequence)}): {x.why}."
        for x in context.not_for
    ]
    return "\n".join(lines)


def _risk() -> str:
    rows = [
        (f"influence {i}", *(risk_of(i, c) for c in LEVELS))  # type: ignore[arg-type]
        for i in reversed(LEVELS)
    ]
    return (
        "## Model risk\n\nModel influence (how much an answer of the model weighs beside other evidence) "
        "times consequence of "
        "a wrong decision:\n\n" + _table(("", *(f"consequence {c}" for c in LEVELS)), rows)
    )


def _goals(judged: Mapping[str, Judged]) -> str:
    order = {"not met": 0, "not run": 1, "met": 2}
    rows = [
        (j.goal.says, j.goal.factor, _wanted(j), j.shown or "-", _loud(j.outcome), j.goal.why)
        for j in sorted(judged.values(), key=lambda j: order[j.outcome])
    ]
    met = sum(j.outcome == "met" for j in judged.values())
    missed = sum(j.outcome == "not met" for j in judged.values())
    return (
        f"## Credibility goals\n\n{met} met, {missed} not met, {len(judged) - met - missed} not run; "
        f"misses first. The goals "
        "were written after the first validation, not before it: they say what the evidence is held "
        "against, and are no "
        "registered protocol. What was fixed before is which figures are held out.\n\n"
        + _table(("goal", "factor (V&V 40)", "wanted", "found", "outcome", "why"), rows)
    )


def _wanted(j: Judged) -> str:
    g = j.goal
    if g.rule == "met":
        return "all its figures meet their targets"
    if g.rule == "holds":
        return f"95 % limits hold {g.value}"
    if g.rule == "beats":
        names = g.value if isinstance(g.value, tuple) else (str(g.value),)
        return "beats " + ", ".join(n.replace("_", " ") for n in names)
    if g.rule == "is":
        return {True: "yes", False: "no"}[bool(g.value)]
    return ("at least " if g.rule == "at_least" else "at most ") + f"{g.value}"


def _categories(judged: Mapping[str, Judged]) -> str:
    rows = []
    for k, c in enumerate(load_categories(), start=1):
        mine = [j for j in judged.values() if j.goal.category == c.id]
        met = f"{sum(j.outcome == 'met' for j in mine)} of {len(mine)}" if mine else "-"
        rows.append((f"{k}. {c.name}", c.exists, c.lacks, met, strength(c, judged.values())))
    return (
        "## The eight categories of evidence\n\n*Strong*: two goals or more, all run and met; *moderate*: at least "
        "half of those run; *weak*: fewer; *descriptive*: there is material and no goal; *none*: there is no such "
        "evidence.\n\n" + _table(("category", "what exists", "what lacks", "goals met", "strength"), rows)
    )


def _verification(facts: Facts) -> str:
    rows = []
    for part, title in TRUST_TITLES.items():
        result = facts.trust.get(part)
        if result is None:
            rows.append((title, "not run", "", ""))
            continue
        for f in result["figures"]:
            value = f"{_number(f['value'])} {f['unit']}".strip()
            rows.append(
                (
                    title,
                    f["name"],
                    value,
                    f["target"] and f"{f['target']}: {'met' if f['met'] else '**not met**'}",
                )
            )
            title = ""
    return (
        "## Verification\n\nThe trust checks at full size, as they were last run ([their page](trust.md) "
        "has notes, versions and "
        "times). *Not run* means that no result is at hand: an installed package ships none.\n\n"
        + _table(("part", "figure", "value", "target"), rows)
    )  # fmt: skip


def _calibration(facts: Facts) -> str:
    c = facts.calibration
    settings = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in c["settings"].items())
    rows = [
        ("method", c["method"]),
        ("settings", settings),
        ("figures fitted", c["figures"]),
        ("mean squared residual by step, in errors of the figures", ", ".join(_number(m) for m in c["misfit_by_step"])),
        ("the search ended by itself", _yes(c["converged"])),
        ("root mean square residual, in errors of the figures", _number(c["rms_residual"])),
        ("the same on patients who took no part in the fit", _number(c["rms_residual_fresh"])),
        ("residuals beyond 2 errors", c["misses"]),
        ("largest residual", _number(c["largest"])),
        ("Birge ratio (1: residuals as large as their errors say)", _number(c["birge_ratio"])),
        ("nonlinearity: members against first order, in errors of the figures", _number(c["nonlinearity"])),
        ("soft claims of mechanism; of these short of their margin", f"{c['soft_claims']}; {c['soft_claims_short']}"),
    ]  # fmt: skip
    return (
        "## Calibration\n\nEvery residual is on the page [Calibration](explanation/calibration.md). "
        "Agreement of fitted figures "
        "is no evidence of prediction.\n\n" + _table(("", ""), rows)
    )


def _validation(facts: Facts) -> str:
    v = facts.validation
    if v["current"] is None:
        return "## Validation\n\nNot run: no scoreboard ships with this version."
    names = list(dict.fromkeys(n for g in GROUPS for n in v[g] if not n.startswith(("coverage", "width"))))
    rows = []
    for name in names:
        says = next(v[g][name]["says"] for g in GROUPS if name in v[g])
        cells = []
        for g in GROUPS:
            s = v[g].get(name)
            cells.append("-" if s is None else f"{_score(s)} ({s['n']})")
        beats = v["held_out"].get(name, {}).get("beats", {})
        won = ", ".join(
            f"{b.replace('_', ' ')} {_yes(beats[b]) if beats[b] is not None else 'tied'}"
            for b in BASELINES
            if b in beats
        )
        rows.append((says, *cells, won or "-"))
    claims = facts.claims
    text = (
        "## Validation\n\nScores over all figures of a group, number of figures in brackets. *Fitted* is "
        "reproduction; *trial "
        "left out* and *held out* are prediction. The last column says whether the held-out score is "
        "better than that of what "
        "one could have said without the model. Single figures and misses are on the page "
        "[Validation](validation.md).\n\n"
        + _table(("score", *(GROUP_SAYS[g] for g in GROUPS), "held out: better than"), rows)
    )
    if not claims:
        return (
            text
            + "\n\n**Claims of the reviews run on the model**: the verdicts are not at hand in this installation."
        )
    u = claims["untouched"]
    return text + (
        f"\n\n**Claims of the reviews run on the model** ([verdicts](reference/claim_verdicts.md)): of "
        f"{claims['executable']} "
        f"executable claims {claims['run']} were run without the held-out ones, {claims['reproduced']} "
        f"reproduced, "
        f"{claims['divided']} divided, {claims['contradicted']} contradicted; {claims['not_covered']} are "
        f"not covered. Of the "
        f"{u['run']} that took part in choosing neither structure nor parameters {u['reproduced']} are "
        f"reproduced "
        f"({_percent(u['reproduced'], u['run'])}) and {u['contradicted']} contradicted "
        f"({_percent(u['contradicted'], u['run'])})."
    )


def _intervals(facts: Facts) -> str:
    v = facts.validation
    if v["current"] is None:
        return "## Calibration of the intervals\n\nNot run."
    rows = []
    for g in GROUPS:
        for level in (50, 80, 90):
            s = v[g].get(f"coverage_{level}")
            if s is None:
                continue
            inside = s["low95"] <= s["nominal"] <= s["high95"]
            widths = (v[g].get(f"width_{level}_{kind}") for kind in ("median", "rate", "hr"))
            rows.append(
                (
                    GROUP_SAYS[g],
                    f"{level} %",
                    f"{100 * s['value']:.0f} % [{100 * s['low95']:.0f}, {100 * s['high95']:.0f}], n = "
                    f"{s['n']}",
                    "as it should be"
                    if inside
                    else ("**too narrow**" if s["value"] < s["nominal"] else "**too wide**"),
                    *(_number(w["value"]) if w else "-" for w in widths),
                )
            )
    sd = ", ".join(f"{k} {_number(x)}" for k, x in v["between_trial_sd"].items())
    return (
        "## Calibration of the intervals\n\nShare of published figures inside their predictive interval, "
        "with its exact 95 % limits, and "
        "the mean width (log scale for medians and hazard ratios, points for rates): an interval can be "
        "right because it is wide. Judged is "
        f"whether the limits hold the nominal share. Between-trial SD in every interval: {sd}.\n\n"
        + _table(("figures", "interval", "inside", "judged", "width: medians", "rates", "hazard ratios"), rows)
    )  # fmt: skip


def _sensitivity(facts: Facts) -> str:
    s = facts.sensitivity
    rows = [
        (f"`{f['factor']}`", f["cases"], _number(f["mean_total"]), _number(f["largest_total"]), f["leads"])
        for f in s["factors"][:TOP_FACTORS]
    ]
    return (
        f"## Sensitivity\n\nTotal Sobol indices of growth inhibition: {s['factors_screened']} factors "
        f"screened, "
        f"{s['factors_varied']} varied over their priors in {s['cases']} cases, {s['evaluations']} "
        f"evaluations with "
        f"{s['samples']} base samples; what was left out is at most {_number(s['left_out_largest'])} of "
        f"the variance of a case. "
        f"The {min(TOP_FACTORS, len(s['factors']))} that matter most ([all](explanation/sensitivity.md)):\n\n"
        + _table(("factor", "cases where it varies", "mean total index", "largest", "leads in cases"), rows)
    )


def _identifiability(facts: Facts) -> str:
    i = facts.identifiability
    rows = [
        (f"`{r['id']}`", f"{r['sd_ratio']:.2f}", f"{r['shift']:+.2f}",
         "yes" if r["informed"] else "**no**: its value is the prior's")
        for r in i["parameters"]
    ]  # fmt: skip
    return (
        f"## Identifiability\n\n{i['informed']} of {i['free']} free parameters are informed by the data; "
        f"{i['beyond_two_sd']} "
        f"moved by more than two prior SD. In single cells the observations tell of {i['directions']} "
        f"directions among "
        f"{i['factors']} factors, and {i['cannot_be_told_apart']} pairs cannot be told apart.\n\n"
        + _table(("free parameter", "posterior / prior SD", "shift, prior SD", "informed"), rows)
    )


def _provenance(facts: Facts) -> str:
    r = facts.record
    rows = []
    for folder in GRADED:
        g = r["grades"][folder]
        total = sum(g.values())
        rows.append((folder, total, *(g[q] for q in QUALITIES), _percent(g["assumed"], total)))
    return (
        f"## Where the numbers come from\n\n{r['parameters']} parameters, {r['free']} free and "
        f"{r['fixed']} fixed; "
        f"{r['with_prior']} have a prior, {r['fixed_without_prior']} are fixed without one, so that no "
        f"interval holds doubt about "
        "them. Every number has a source and a place ([Parameters](reference/parameters.md)). By quality, "
        "with those of the rest "
        "of the record:\n\n"
        + _table(("numbers in", "all", *QUALITIES, "share assumed"), rows)
    )  # fmt: skip


def _assumptions() -> str:
    rows = [
        (a.assumes, f"[{a.part}](explanation/{a.part}.md)", a.why, a.falsified) for a in load_assumptions()
    ]
    return (
        f"## Register of assumptions\n\n{len(rows)} assumptions of the structure, where each acts, and "
        f"what would falsify it. "
        "Assumed numbers follow at the end of the page.\n\n"
        + _table(("assumed", "acts in", "why", "would be falsified by"), rows)
    )


def _limits() -> str:
    lacks = [f"- {c.name}: {c.lacks}" for c in load_categories()]
    return (
        "## Limits\n\nWhat is missing, category by category; what the model leaves out is on the page "
        "[Limits](limits.md).\n\n" + "\n".join(lacks)
    )


def _assumed_numbers(facts: Facts) -> str:
    assumed = facts.record["assumed"]
    lines = [
        "## Assumed numbers",
        "",
        f"{len(assumed)} parameters are assumptions. One is falsified by a measurement outside the range, "
        f"the central 95 % of its prior; "
        "where there is no prior, no range is stated, and any measurement that differs speaks against it. "
        "Rates of adverse events, "
        "potencies and cell attributes that are assumed are counted above and stand on their own pages.",
    ]  # fmt: skip
    for part, (title, path) in PART_PAGES.items():
        mine = [a for a in assumed if a["part"] == part]
        if not mine:
            continue
        rows = [
            (
                f"`{a['id']}`",
                f"{_number(a['value'])} {a['unit'] if a['unit'] != '1' else ''}".strip(),
                a["role"],
                a["why"],
                f"{_number(a['span_95'][0])} to {_number(a['span_95'][1])}" if a["span_95"] else "no range stated",
            )
            for a in mine
        ]  # fmt: skip
        lines += [
            "",
            f"### In `parameters/{part}.yaml`",
            "",
            f"They act in [{title}]({path}).",
            "",
            _table(("parameter", "value", "role", "reason", "range"), rows),
        ]
    return "\n".join(lines)


def _score(s: Mapping[str, Any]) -> str:
    if s["unit"] == "share":
        return f"{100 * s['value']:.0f} %"
    return f"{s['value']:.1f} points" if s["unit"] == "points" else f"{s['value']:.3f}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _number(x: object) -> str:
    if x is None:
        return "not kept"
    if isinstance(x, bool) or not isinstance(x, int | float):
        return str(x)
    return f"{x:,}" if isinstance(x, int) else f"{x:.3g}"


def _yes(x: object) -> str:
    return {True: "yes", False: "no", None: "not kept"}.get(x if isinstance(x, bool) else None, "not kept")


def _loud(outcome: str) -> str:
    return outcome if outcome == "met" else f"**{outcome}**"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = ["| " + " | ".join(str(h) for h in head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(c) for c in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(x: object) -> str:
    return str(x).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
