"""The kinds of file that the program reads: where examples come from, how one is put down, and what reads it.

Every reader is the function that a command calls. A file of the record is put into a folder of a user's own
(`HER2_RECORD`), as a user would add it. SBML is written and never read, so there is no such kind.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml

from inputs_lib import mutate

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "src" / "her2" / "data"
Style = Literal["yaml", "json", "text", "bytes"]


@dataclass(frozen=True)
class Seed:
    """A file that is as it should be."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name : in results
    share : of the files of a run
    style : how its content is changed, beside its bytes
    seeds : files to start from
    place : puts a content down in a folder, returns what `read` takes
    read : what a command does with it first
    deeper : what is done with an accepted one further on; None for nothing
    own : changes that only this kind knows, with a seed's content and a `random.Random`
    command : of the command line, for a path; None where there is none
    """

    name: str
    share: float
    style: Style
    seeds: Callable[[], tuple[Seed, ...]]
    place: Callable[[Path, Seed, bytes], Path]
    read: Callable[[Path], Any]
    deeper: Callable[[Any], Any] | None = None
    own: Callable[[bytes, random.Random], bytes] | None = None
    command: Callable[[Path], list[str]] | None = None


@cache
def plain(content: bytes, style: Style) -> Any:
    """A seed as plain data."""
    return json.loads(content) if style == "json" else yaml.load(content, Loader=yaml.CSafeLoader)


def changed(kind: Kind, seeds: Sequence[Seed], rng: random.Random) -> tuple[Seed, bytes]:
    """A seed of a kind and its changed content, two changes in one of five."""
    seed, other = rng.choice(seeds), rng.choice(seeds)
    content = seed.content
    for _ in range(2 if rng.random() < 0.2 else 1):
        way = rng.random()
        if kind.own is not None and way < 0.45:
            try:
                content = kind.own(content, rng)
            except ValueError:  # changed before, and no longer what this change knows
                content = kind.own(seed.content, rng)
        elif kind.style == "bytes" or way < (0.55 if kind.own is not None else 0.15):
            content = mutate.change_bytes(content, rng, other.content)
        elif kind.style == "text" or way < 0.6:
            content = mutate.change_text(content.decode("utf-8", "replace"), rng)
        else:
            content = _changed_data(kind, content, seed, rng)
    return seed, content


def _changed_data(kind: Kind, content: bytes, seed: Seed, rng: random.Random) -> bytes:
    """A change of the structure; of the seed's own where the content is no plain data any more."""
    try:
        data = plain(content, kind.style)
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
        TypeError,
        AttributeError,
        OverflowError,
        IndexError,
        KeyError,
    ):
        data = plain(seed.content, kind.style)
    new = mutate.change_data(data, rng)
    try:
        return mutate.as_json(new) if kind.style == "json" else mutate.as_yaml(new)
    except (ValueError, TypeError, yaml.YAMLError):
        # such as a whole number with too many digits to write
        return mutate.change_bytes(seed.content, rng, seed.content)


def seeds_of(*patterns: str, ending: str = "") -> tuple[Seed, ...]:
    """Files of the repository; none that holds a figure held out from the fit."""
    found = []
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            content = path.read_bytes()
            if b"held_out" not in content:
                found.append(Seed(path.name + ending, content))
    assert found, patterns
    return tuple(found)


@contextmanager
def user_record(folder: Path) -> Iterator[None]:
    """Read this folder as the user's own record."""
    before = os.environ.get("HER2_RECORD")
    os.environ["HER2_RECORD"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["HER2_RECORD"]
        else:
            os.environ["HER2_RECORD"] = before


def _into(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _plainly(folder: Path, seed: Seed, content: bytes) -> Path:
    return _into(folder, seed.name, content)


def _in_record(kind: str) -> Callable[[Path, Seed, bytes], Path]:
    def place(folder: Path, seed: Seed, content: bytes) -> Path:
        shutil.rmtree(folder / kind, ignore_errors=True)
        return _into(folder, f"{kind}/{seed.name}", content)

    return place


# trials and designs


def _read_trial(path: Path) -> Any:
    from her2.trials.design import load_trial

    return load_trial(str(path))


def _run_trial(trial: Any) -> Any:
    from her2.trials.report import as_json
    from her2.trials.run import simulate_trial

    if len(trial.arms) > 6:
        return None
    result = simulate_trial(trial, patients=50, trials=0, members=2, member_patients=50)
    json.dumps(as_json(result), allow_nan=False)
    return None


def _read_design(path: Path) -> Any:
    from her2.design_study.schema import load_design

    task = load_design(str(path))
    return task.design, task.sizes


def _design_seeds() -> tuple[Seed, ...]:
    from her2.design_study.template import template_text

    own = (
        "trial: cleopatra\nalpha: 0.05 two-sided\npower: 0.8\nsizes: [200, 400]\nevents: [100, 200]\n"
        "looks: {information: [0.5, 1.0], spending: hwang_shih_decani, gamma: -4.0, futility: non_binding}\n",
        "trial: gbg_26\nendpoint: ttp\naccrual_rate: 0.5 1/day\nmax_follow_up: 24 month\nbetween_trial_sd: 0.1\n"
        "looks: {information: [0.6, 1.0], spending: custom, alpha_spent: [0.01, 0.025]}\n",
        "trial: emilia\nenrichment: {subgroups: [pik3ca_mutant, not pik3ca_mutant], prevalence: measured}\n"
        "success: {hr_below: 0.8}\nstratified: false\n",
    )
    trial = (DATA / "trials" / "cleopatra.yaml").read_bytes()
    return (
        Seed("template.yaml", template_text().encode()),
        *(Seed(f"design_{k}.yaml", text.encode()) for k, text in enumerate(own)),
        Seed("design_trial.yaml", trial + b"\ndesign: {power: 0.8, sizes: [100, 300]}\n"),
    )


# patients


def _read_case(path: Path) -> Any:
    from her2.prognosis.case import read_case

    return read_case(path)


def _advise(case: Any) -> Any:
    from her2.prognosis.case import case_yaml
    from her2.prognosis.known import known_of
    from her2.sequencing.recommend import advise
    from her2.sequencing.state import state_of

    advice = advise(case.state)
    json.dumps(advice.as_json(), allow_nan=False)
    known_of(case.state)
    again = state_of(yaml.safe_load(case_yaml(case.state)), "again")
    assert again == case.state, "a case differs after it was written and read again"


def _case_seeds() -> tuple[Seed, ...]:
    found = list(seeds_of("src/her2/web/cases/*.yaml", "src/her2/data/sequencing/patient_template.yaml"))
    for path in sorted((ROOT / "tests/sequencing/scenarios").glob("*.yaml"))[:4]:
        for k, scenario in enumerate(yaml.safe_load(path.read_text(encoding="utf-8"))["scenarios"][:4]):
            found.append(Seed(f"{path.stem}_{k}.yaml", yaml.safe_dump(scenario["state"]).encode()))
    return tuple(found)


def _json_case_seeds() -> tuple[Seed, ...]:
    return tuple(
        Seed(s.name.replace(".yaml", ".json"), json.dumps(plain(s.content, "yaml"), default=str).encode())
        for s in _case_seeds()[:6]
    )


def _read_bundle(path: Path) -> Any:
    from her2.errors import Her2Error
    from her2.prognosis.case import read_case

    try:
        return read_case(path)
    except Her2Error:
        return read_case(path, lenient=True)


def _redate(content: bytes, rng: random.Random) -> bytes:
    """A bundle with codes, dates, units and references changed where they stand."""
    data = json.loads(content)
    entries = data.get("entry") or [{}]
    for _ in range(rng.choice((1, 1, 3))):
        k = rng.randrange(len(entries))
        inner = entries[k].get("resource") if isinstance(entries[k], dict) else None
        wanted = [p for p in mutate.places(inner) if p] if isinstance(inner, dict) else []
        if not wanted:
            continue
        path = rng.choice(wanted)
        above = inner
        for step in path[:-1]:
            above = above[step]
        value = above[path[-1]]
        words = ("9999-12-31", "0001-01-01", "2012", "2012-13", "2012-02-30", "1800-01-01", "2050-01-01T00:00:00Z",
                 "kg", "[lb_av]", "g", "%", "LA6576-8", "3+", "3" + " " * 50_000 + "x", "docetaxel 20 MG/ML Injection",
                 "trastuzumab-anns and hyaluronidase", "-".join(["a"] * 5000), "active", "entered-in-error")  # fmt: skip
        if isinstance(value, str):
            above[path[-1]] = rng.choice(words)
        elif isinstance(value, int | float):
            above[path[-1]] = rng.choice((0, -1, 1e308, 10**20, 3.7, 250, 2**63))
        elif isinstance(value, list) and value:
            above[path[-1]] = value * rng.choice((2, 30))
        else:
            above[path[-1]] = mutate.hostile_value(rng)
    return mutate.as_json(data)


# cells and networks


def _read_cell(path: Path) -> Any:
    from her2.cell.cell import load_cell

    return load_cell(str(path))


def _respond(cell: Any) -> Any:
    return cell.respond({"trastuzumab": "clinical"}, members=0).to_dicts()


def _read_network(path: Path) -> Any:
    from her2.cell.switches import _check_switch
    from her2.evidence.biology import NETWORK_FILES
    from her2.evidence.load import canonical_values, load_network, parse, read_yaml, show_path
    from her2.model import _clone_arrays
    from her2.signalling.network import build_network
    from her2.signalling.receptors import build_receptor_layer

    with user_record(path.parent.parent):
        name = path.stem
        if name in ("attributes", "switches"):
            entry = parse(NETWORK_FILES[name], read_yaml(path), show_path(path))
            if name == "switches":
                for switch in entry.switches:  # type: ignore[attr-defined]
                    _check_switch(switch, show_path(path))
            return entry
        data = load_network(name)
    if name == "receptors":
        layer = build_receptor_layer(data, canonical_values())
        return layer.reference_totals, layer.channel_strength, layer.channel_block
    if name == "pathway":
        network = build_network(data, canonical_values(), _receptors())
        return network.hill_beta, network.reaction_weight, network.time_constant_h
    arrays, *_ = _clone_arrays(data)
    return arrays


@cache
def _receptors() -> tuple[str, ...]:
    from her2.evidence.load import load_network

    return tuple(s["id"] for s in load_network("receptors")["species"])


# other files of the record


def _read_entry(path: Path) -> Any:
    """An entry of the record, and what is checked of it when it is used."""
    from her2.evidence.lint.base import gather
    from her2.evidence.load import parse
    from her2.evidence.record import FOLDERS, raw_entries, read_file
    from her2.sequencing.rulebook import compile_rule

    kind = path.parent.name
    spec = FOLDERS[kind]
    file = read_file(path, user=True, folder=kind)
    gather([file], None)
    entries = [parse(spec.model, item, where) for where, item in raw_entries(file)]
    if kind == "rules" and entries[0].executable:  # type: ignore[attr-defined]
        compile_rule(entries[0], True)  # type: ignore[arg-type]
    return entries


def _read_plain(path: Path) -> Any:
    from her2.evidence.load import parse, read_yaml, show_path
    from her2.evidence.schema import Population
    from her2.evidence.toxicity import AgentToxicity
    from her2.pharmacology.regimen import parse_regimen
    from her2.sequencing.agents import _known, _read_classes
    from her2.trials.between import load_between
    from her2.trials.design import Regimen, check_population

    kind, where = path.parent.name, show_path(path)
    if kind == "regimens":
        regimen = parse(Regimen, read_yaml(path), where)
        for component in regimen.components:
            parse_regimen(component.dose)
        return regimen
    if kind == "populations":
        population = parse(Population, read_yaml(path), where)
        check_population(population, where)
        return population
    if kind == "validation":
        return load_between(path)
    if kind == "sequencing":
        _read_classes.cache_clear()
        return _read_classes(str(path.parent.parent))
    if kind == "agents":
        with user_record(path.parent.parent):
            return dict(_known.__wrapped__(None))
    return parse(AgentToxicity, read_yaml(path), where)


def _plain_seeds() -> tuple[Seed, ...]:
    return tuple(
        Seed(f"{kind}/{s.name}", s.content)
        for kind, patterns in (
            ("regimens", ("src/her2/data/regimens/*.yaml",)),
            ("populations", ("src/her2/data/populations/*.yaml",)),
            ("toxicity", ("src/her2/data/toxicity/*.yaml",)),
            ("validation", ("src/her2/data/validation/between_trials.yaml",) * 3),
            ("sequencing", ("src/her2/data/sequencing/agent_classes.yaml",) * 3),
        )
        for s in seeds_of(*patterns)
    )


def _entry_seeds() -> tuple[Seed, ...]:
    kinds = ("sources", "agents", "mechanisms", "claims", "studies", "rules", "conflicts", "parameters",
             "populations", "cells", "experiments")  # fmt: skip
    return tuple(
        Seed(f"{kind}/{s.name}", s.content)
        for kind in kinds
        for s in sorted(seeds_of(f"src/her2/data/{kind}/**/*.yaml"), key=lambda s: len(s.content))[:30]
    )


def _place_by_name(folder: Path, seed: Seed, content: bytes) -> Path:
    shutil.rmtree(folder / seed.name.split("/")[0], ignore_errors=True)
    return _into(folder, seed.name, content)


# results


def _forecast_seeds() -> tuple[Seed, ...]:
    """Small frozen files as `her2.validation.forecast.freeze` writes them, without a simulation behind."""
    from her2.trials.design import load_trial
    from her2.validation.forecast import content_digest

    found = []
    for name in ("cleopatra", "gbg_26"):
        content: dict[str, Any] = {
            "kind": "her2 forecast", "format": 1, "trial": name, "title": "made up", "version": "0.1.0",
            "date": "2026-01-01T00:00:00Z", "settings": {"members": 2, "patients": 100, "trials_simulated": 1000, "seed": 1},
            "posterior_digest": "0" * 64, "between_trial_sd": {"rate": 0.1}, "agents": [], "user_record": None,
            "trial_file": load_trial(name).model_dump(mode="json"), "missing": [],
            "arms": [{"endpoint": "pfs", "statistic": "median", "arm": "a", "predicted": 10.0}], "contrasts": [],
        }  # fmt: skip
        content["prediction_digest"] = content_digest(content, ("digest", "date", "prediction_digest"))
        content["digest"] = content_digest(content)
        found.append(Seed(f"{name}.forecast.json", json.dumps(content, indent=1).encode()))
    return tuple(found)


def _refreeze(content: bytes, rng: random.Random) -> bytes:
    """A changed forecast with digests that fit: only its own checks can refuse it."""
    from her2.validation.forecast import content_digest

    data = mutate.change_data(json.loads(content), rng)
    if isinstance(data, dict):
        try:
            data["prediction_digest"] = content_digest(data, ("digest", "date", "prediction_digest"))
            data["digest"] = content_digest(data)
        except (ValueError, TypeError):
            pass
    try:
        return mutate.as_json(data)
    except ValueError:
        return content[:-5]


def _read_forecast(path: Path) -> Any:
    from her2.validation.forecast import check_forecast

    content = check_forecast(path)
    assert (
        isinstance(content["trial"], str)
        and isinstance(content["date"], str)
        and isinstance(content["version"], str)
    )
    return content


_CHUNKS = ((0, 20), (20, 12))


@cache
def _store_seeds() -> tuple[Seed, ...]:
    """A store with two chunks of made-up patients, packed: the ledger and the chunks by name."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        from her2.store import ChunkStore

        with ChunkStore.create(Path(folder) / "patients", {"trial": "made_up", "seed": 1}) as store:
            for first, n in _CHUNKS:
                store.add("model", first, n, n - 2, _chunk(first, n))
        base = Path(folder) / "patients"
        return (Seed("ledger.jsonl", (base / "ledger.jsonl").read_bytes()),)


@cache
def _chunk(first: int, n: int) -> bytes:
    """Made-up patients on two arms as Parquet."""
    import numpy as np

    from her2.engine.layout import MAX_LINES, MAX_VISITS, N_OUTCOMES, Outcome, Status
    from her2.engine.run import Followed
    from her2.store import encode_patients

    rng = np.random.default_rng([7, first])
    m = n - 2
    arms = []
    for _ in range(2):
        outcomes = rng.lognormal(size=(N_OUTCOMES, m))
        outcomes[rng.random((N_OUTCOMES, m)) < 0.2] = np.inf
        outcomes[Outcome.STATUS] = Status.DEAD
        outcomes[Outcome.LINES] = rng.integers(0, MAX_LINES, m)
        arms.append(
            Followed(
                np.arange(first, first + m, dtype=np.int64), outcomes, rng.lognormal(size=(MAX_VISITS, m)),
                rng.lognormal(size=(MAX_LINES, m)), rng.integers(-1, 20, (MAX_LINES, m)),
            )
        )  # fmt: skip
    others = np.arange(first + m, first + n, dtype=np.int64)
    return encode_patients(
        arms, others, np.full(2, int(Status.DEAD), dtype=np.int64), {"er_positive": rng.random(m) < 0.5}
    )


def _place_ledger(folder: Path, seed: Seed, content: bytes) -> Path:
    shutil.rmtree(folder / "patients", ignore_errors=True)
    for first, n in _CHUNKS:
        _into(folder, f"patients/model/{first:012d}-{first + n - 1:012d}.parquet", _chunk(first, n))
    return _into(folder, "patients/ledger.jsonl", content).parent


def _forge_line(content: bytes, rng: random.Random) -> bytes:
    """A ledger in which one record is another, with a checksum that fits."""
    from her2.store.ledger import format_line, parse_line

    lines = [line for line in content.split(b"\n") if line]
    k = rng.randrange(len(lines)) if lines else 0
    record = parse_line(lines[k]) if lines else None
    if record is None:
        return content
    words = ("../../outside.parquet", "/etc/passwd", "model/../../x.parquet", "model/x.parquet", "", "ledger.jsonl", "lock",
             "model\\x.parquet", "model/000000000000-000000000019.parquet/..", "\x00")  # fmt: skip
    if "file" in record and rng.random() < 0.4:
        record["file"] = rng.choice(words)
    else:
        record = mutate.change_data(record, rng)
    try:
        lines[k] = format_line(record).rstrip(b"\n") if isinstance(record, dict) else b"{}"
    except (ValueError, TypeError):
        return content[:-7]
    return b"\n".join(lines) + b"\n"


def _read_store(path: Path) -> Any:
    from her2.errors import Her2Error
    from her2.store import ChunkStore, decode_patients

    try:
        store = ChunkStore.open(path)
        for record in store.records():
            decode_patients(store.read(record), 2)
    except Her2Error:
        with ChunkStore.resume(path, {"trial": "made_up", "seed": 1}) as resumed:
            for record in resumed.records():
                decode_patients(resumed.read(record), 2, characteristics=("er_positive",))
            resumed.gaps("model", 0, 40)
    return None


def _parquet_seeds() -> tuple[Seed, ...]:
    return tuple(Seed(f"{first}.parquet", _chunk(first, n)) for first, n in _CHUNKS)


def _change_table(content: bytes, rng: random.Random) -> bytes:
    """A Parquet file with other columns, kinds or values, whole as a file."""
    try:
        table = pl.read_parquet(io.BytesIO(content))
    except (Exception, pl.exceptions.PanicException):  # changed before, and no longer a table
        return content[: len(content) // 2]
    name = rng.choice(table.columns)
    kind = rng.randrange(10)
    column = table[name]
    if kind == 0:
        table = table.drop(name)
    elif kind == 1:
        table = table.rename({name: rng.choice(("x", "arm_", "../x", "é"))})
    elif kind == 2:
        table = table.with_columns(
            column.cast(pl.String, strict=False) if column.dtype != pl.List else pl.lit("x").alias(name)
        )
    elif kind == 3:
        table = table.with_columns(pl.lit(None).alias(name))
    elif kind == 4:
        table = table.head(rng.choice((0, 1, 5)))
    elif kind == 5:
        table = pl.concat([table, table.reverse().head(7)])
    elif kind == 6:
        table = table.with_columns(pl.lit(rng.choice((-1, 7, 255, 2**40, 1e300, float("nan")))).alias(name))
    elif kind == 7:
        table = table.with_columns(
            pl.lit([[1.0] * rng.choice((0, 1, 5000))] * table.height).alias(name)[0:0]
            if False
            else pl.Series(name, [[1.0] * rng.choice((0, 3, 2000))] * table.height)
        )
    elif kind == 8:
        table = table.with_columns(pl.Series(name, [b"\x80\x04K\x01."] * table.height, dtype=pl.Binary))
    else:
        table = table.with_columns(pl.Series(name, [{"a": 1}] * table.height))
    drawn = io.BytesIO()
    table.write_parquet(drawn)
    return drawn.getvalue()


def _read_parquet(path: Path) -> Any:
    from her2.store import decode_patients

    content = path.read_bytes()
    decode_patients(content, 2, outcomes_only=True)
    decode_patients(content, 2, characteristics=("er_positive",))
    return None


def _tsv_seeds() -> tuple[Seed, ...]:
    lines = (DATA / "posterior" / "ensemble.tsv").read_bytes().splitlines(keepends=True)
    return (Seed("ensemble.tsv", b"".join(lines[:12])),)


def _read_ensemble(path: Path) -> Any:
    import her2.posterior as posterior

    before = posterior.ENSEMBLE
    posterior.ENSEMBLE = path
    try:
        found = posterior.load_posterior.__wrapped__()
        return found.members, found.central()
    finally:
        posterior.ENSEMBLE = before


def _table_seeds() -> tuple[Seed, ...]:
    return tuple(
        Seed(s.name, b"".join(s.content.splitlines(keepends=True)[:25]))
        for s in seeds_of("src/her2/data/sensitivity/*")
    )


def _place_table(folder: Path, seed: Seed, content: bytes) -> Path:
    for other in _table_seeds():
        _into(folder, other.name, other.content)
    return _into(folder, seed.name, content).parent


def _read_tables(path: Path) -> Any:
    from her2.sensitivity.store import read_report

    return read_report(path)


def _log_seeds() -> tuple[Seed, ...]:
    from her2.validation.log import HEAD

    return (Seed("runs.tsv", ("\t".join(HEAD) + "\n" + "\t".join("x" for _ in HEAD) + "\n").encode()),)


def _read_log(path: Path) -> Any:
    from her2.validation.log import read_log

    return read_log(path)


def _run_seeds() -> tuple[Seed, ...]:
    return (
        Seed(
            "run.json", b'{"trial": "x", "files": {"arms.csv": {"bytes": 3, "blake2b": "00"}, "x.svg": {}}}\n'
        ),
    )


def _place_run(folder: Path, seed: Seed, content: bytes) -> Path:
    shutil.rmtree(folder / "run", ignore_errors=True)
    _into(folder, "run/arms.csv", b"a,b\n")
    return _into(folder, "run/run.json", content).parent


def _read_run(path: Path) -> Any:
    from her2.trials.write import check_folder

    check_folder(path)
    return None


KINDS: tuple[Kind, ...] = (
    Kind("trial", 0.13, "yaml",
         lambda: seeds_of(*(f"src/her2/data/trials/{n}.yaml" for n in ("cleopatra", "slamon_2001", "gbg_26", "emilia",
                                                                      "egf100151", "m77001", "tandem", "landscape",
                                                                      "altto", "neosphere"))),
         _plainly, _read_trial, _run_trial,
         command=lambda p: ["trial", str(p), "--patients", "50", "--trials", "0", "--jobs", "1"]),
    Kind("design", 0.08, "yaml", _design_seeds, _plainly, _read_design, command=lambda p: ["design", str(p), "--members",
         "2", "--patients", "100", "--trials", "100", "--jobs", "1"]),
    Kind("patient", 0.12, "yaml", _case_seeds, _plainly, _read_case, _advise,
         command=lambda p: ["patient", str(p), "--as-case"]),
    Kind("patient_json", 0.03, "json", _json_case_seeds, _plainly, _read_case, _advise,
         command=lambda p: ["options", str(p)]),
    Kind("fhir_bundle", 0.08, "json", lambda: seeds_of("tests/prognosis/data/mcode_*.json"), _plainly, _read_bundle,
         _advise, own=_redate, command=lambda p: ["patient", str(p), "--as-case"]),
    Kind("cell", 0.08, "yaml", lambda: seeds_of("src/her2/data/cells/*.yaml", "examples/own_cell.yaml"), _plainly,
         _read_cell, _respond, command=lambda p: ["cell", str(p), "--members", "0", "--json"]),
    Kind("network", 0.08, "yaml", lambda: seeds_of("src/her2/data/network/*.yaml"), _in_record("network"), _read_network,
         command=lambda p: ["lint", str(p)]),
    Kind("record", 0.16, "yaml", _entry_seeds, _place_by_name, _read_entry, command=lambda p: ["lint", str(p)]),
    Kind("record_other", 0.08, "yaml", _plain_seeds, _place_by_name, _read_plain),
    Kind("forecast", 0.04, "json", _forecast_seeds, _plainly, _read_forecast, own=_refreeze,
         command=lambda p: ["forecast", "--check", str(p)]),
    Kind("ledger", 0.05, "bytes", _store_seeds, _place_ledger, _read_store, own=_forge_line),
    Kind("parquet", 0.03, "bytes", _parquet_seeds, _plainly, _read_parquet, own=_change_table),
    Kind("posterior_tsv", 0.01, "text", _tsv_seeds, _plainly, _read_ensemble),
    Kind("sensitivity_tsv", 0.01, "text", _table_seeds, _place_table, _read_tables),
    Kind("validation_log", 0.01, "text", _log_seeds, _plainly, _read_log),
    Kind("run_record", 0.01, "json", _run_seeds, _place_run, _read_run),
)  # fmt: skip
