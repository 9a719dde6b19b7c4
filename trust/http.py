"""The server against its own description: Schemathesis in bulk, and the points of OWASP ASVS that apply.

    python trust/http.py [--full] [--seed N] [--fresh]

The application runs in this process with the checks it has as a server, so that a request costs milliseconds. Every
operation of the description gets well-formed and ill-formed requests: boundary values and undeclared methods
(coverage), drawn ones (fuzzing), and chains along the links of the description (stateful). Half of the well-formed
drawn ones are given names of the record, so that they reach the model and not only its "unknown cell". Every answer
goes through all checks of Schemathesis (server errors, undocumented statuses, media types, headers, bodies against
their schema, methods, deleted jobs that still answer, data that should have been refused) and one of ours (security
headers, no stack trace and no path of the machine in any answer).

Jobs are asked for like everything else, but a server with limits (`her2 serve --limit`) and without workers
(`--workers 0`) only queues them: up to four wait, then 429 is the answer. Beforehand a server with a worker has run one
job of each kind at its smallest size, so that results, files and event streams have something to show (at reduced size:
the trial that ships with the first screen stands in the database instead).

A full run goes in rounds of some thousand requests, each kept in `trust/_work/http/`; run again, it goes on. `--fresh`
begins anew.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import json
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asvs import load_points, missing_tests
from common import ROOT, TRUST, Figure, finish, parser

REDUCED, FULL = 1500, 100_000
"""Requests."""
WORK = TRUST / "_work" / "http"
TOKEN = "token-of-the-trust-check"
ROUND = 300
"""Drawn requests to an operation in a round of a full run."""
SHARE = {
    "POST /api/cell/state": 0.2, "POST /api/cell/dose_response": 0.2, "POST /api/cell/time_course": 0.1,
    "POST /api/network/course": 0.4, "GET /api/jobs/{id}/events": 0.5,
    "POST /api/jobs": 3.0, "POST /api/trials/check": 2.0, "POST /api/patient/check": 2.0,
}  # fmt: skip
"""Share of the usual number of drawn requests: less where much is computed, more where much can be said."""
UNDOCUMENTED = ("status_code_conformance", "content_type_conformance", "response_schema_conformance",
                "response_headers_conformance")  # fmt: skip
ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "429"]
"""Answers to well-formed requests: a name that the record does not have is 422, or 404 in an address."""
EXPECTED_HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "cache-control",
    "cross-origin-resource-policy",
)
TRUTH = ("1", "true", "t", "yes", "y", "on")


@dataclass
class Tally:
    """What was sent and what came back.

    Attributes
    ----------
    requests : by operation and status
    phases, modes : requests by phase, and by well-formed or not
    failures : by check and operation, with the first message
    errors : of Schemathesis itself
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return {
            "requests": [[*k, n] for k, n in sorted(self.requests.items())], "phases": self.phases,
            "modes": self.modes, "failures": [[*k, *v] for k, v in sorted(self.failures.items())],
            "errors": self.errors, "seconds": round(self.seconds, 1),
        }  # fmt: skip

    def add(self, data: dict[str, Any]) -> None:
        """Another round."""
        for label, status, n in data["requests"]:
            self.requests[label, status] += n
        self.phases.update(data["phases"])
        self.modes.update(data["modes"])
        for check, label, n, says in data["failures"]:
            self.failures.setdefault((check, label), [0, says])[0] += n
        self.errors += data["errors"]
        self.seconds += data["seconds"]


def limits() -> Any:
    """Limits that keep jobs small and few; rates that do not stop the check itself."""
    from her2.web.settings import Limits

    return Limits(
        requests_per_second=1e9,
        burst=1e9,
        patients=1000,
        trials=1000,
        members=2,
        draws=60,
        twins=20,
        active_jobs=4,
    )


def server(database: Path, workers: int = 0, token: str = "") -> Any:
    """The application, as `her2 serve` runs it; held-out rows of the scoreboard are never asked for."""
    from her2.web.app import create_app
    from her2.web.settings import Settings

    app = create_app(
        Settings(
            database=f"sqlite:///{database}", workers=workers, threads=1, token=token, hosts=("testserver",),
            limits=limits(),
        )
    )  # fmt: skip

    async def without_held_out(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/api/validation" and b"held_out" in scope["query_string"]:
            from urllib.parse import parse_qsl, urlencode

            pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            pairs = [(k, "false" if k == "held_out" and v.lower() in TRUTH else v) for k, v in pairs]
            scope = {**scope, "query_string": urlencode(pairs).encode("latin-1")}
        await app(scope, receive, send)

    return without_held_out


def seed_database(path: Path, full: bool) -> list[str]:
    """Make a database with finished jobs; their kinds."""
    from her2.web.jobs.store import Store, StoredFile

    if not full:
        store = Store(f"sqlite:///{path}")
        shown = json.loads((ROOT / "src/her2/web/precomputed/cleopatra.json").read_text(encoding="utf-8"))[
            "trial"
        ]
        store.add("trial", "as it ships", {"trial": "cleopatra"})
        job = store.claim("trust")
        assert job is not None
        store.put_result(job, json.dumps(shown).encode(), str(shown["run"]["digest"]))
        store.finish(job, "done", made=[StoredFile("table.csv", "text/csv", "table", b"a,b\n1,2\n")])
        store.close()
        return ["trial"]
    return run_jobs(path)


def run_jobs(path: Path) -> list[str]:
    """Let a server with one worker run a job of each kind at its smallest; the kinds that are done."""
    from schemathesis.python import asgi

    case = {"her2": "positive", "setting": "metastatic"}
    bodies: list[dict[str, Any]] = [
        {"kind": "trial", "trial": "vogel_2002", "patients": 64, "trials": 2},
        {"kind": "forecast", "trial": "vogel_2002", "members": 2, "patients": 64, "trials": 1000},
        {"kind": "patient", "case": case, "members": 1, "draws": 60, "twins": 20, "explained": 0},
        {"kind": "sequence", "case": case, "depth": 1, "members": 1, "draws": 60, "twins": 20},
    ]
    done: list[str] = []
    with asgi.get_client(server(path, workers=1)) as client:
        for body in bodies:
            asked = client.post("/api/jobs", json=body)
            assert asked.status_code == 202, asked.text
            deadline = time.monotonic() + 900.0
            while (job := client.get(asked.headers["location"]).json())["state"] in ("queued", "running"):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.5)
            print(f"a {body['kind']} job: {job['state']} {job['error']}", flush=True)
            if job["state"] == "done":
                done.append(str(body["kind"]))
    asgi.shutdown_lifespans()
    return done


# ---- names of the record for drawn requests


class Names:
    """Puts names that exist into drawn requests."""

    def __init__(self, database: Path, seed: int) -> None:
        from her2.evidence.query import build_index
        from her2.trials.design import trial_names
        from her2.trials.follow import record_regimens
        from her2.web.jobs.store import Store
        from her2.web.record_view import load_view

        record = load_view().record
        self.random = random.Random(seed)
        self.trials = list(trial_names())
        self.cells = list(record.cells)
        self.agents = list(record.agents)
        self.acting = [k for k, a in record.agents.items() if a.entry.pharmacodynamics is not None]
        self.switches = [k for k, s in record.switches.items() if not s.entry.not_a_switch]
        self.ligands = [k for k, a in record.attributes.items() if a.entry.kind == "ligand"]
        hits = build_index(record).hits
        self.entries = [(h.kind, h.id) for h in hits]
        self.words = sorted({w for h in hits for w in re.findall(r"\w{3,}", h.title)})
        self.addresses = {
            "/api/trials/{id}": self.trials, "/api/cells/{id}": self.cells, "/api/agents/{id}": self.agents,
            "/api/regimens/{id}": list(record_regimens()), "/api/mechanisms/{id}": list(record.mechanisms),
        }  # fmt: skip
        store = Store(f"sqlite:///{database}")
        self.jobs = [j.id for j in store.listed(200)]
        self.files = {j: [f["name"] for f in store.file_list(j)] for j in self.jobs}
        store.close()

    def put(self, case: Any) -> None:
        """Change a drawn well-formed request, in half of the cases."""
        if self.random.random() < 0.5:
            return
        pick = self.random.choice
        path, where = case.operation.path, case.path_parameters
        if path in self.addresses:
            where["id"] = pick(self.addresses[path])
        elif path.startswith("/api/evidence/entry"):
            where["kind"], where["id"] = pick(self.entries)
        elif path.startswith("/api/jobs/{id}") and case.method in ("GET", "HEAD"):
            where["id"] = pick(self.jobs)
            if "name" in where:
                where["name"] = pick(self.files[where["id"]] or ["none.csv"])
        if isinstance(case.query, dict):
            self._query(path, case.query)
        if isinstance(case.body, dict):
            self._body(path, case.body)

    def _query(self, path: str, query: dict[str, Any]) -> None:
        pick = self.random.choice
        if path == "/api/evidence":
            query["q"] = " ".join(pick(self.words) for _ in range(self.random.randint(1, 2)))
            if "agent" in query:
                query["agent"] = pick(self.agents)
        elif path == "/api/evidence/trace":
            query["id"] = ":".join(pick(self.entries)).replace("trial:", "study:")
        elif path in ("/api/evidence/forest", "/api/evidence/network"):
            query["endpoint"] = pick(["pfs", "os", "ttp", "pfs+ttp"])

    def _body(self, path: str, body: dict[str, Any]) -> None:
        pick = self.random.choice
        for part in (body, body.get("compare")):
            if not isinstance(part, dict):
                continue
            if "cell" in part:
                part["cell"] = pick([*self.cells, "reference"])
            for name, known in (
                ("drugs", self.acting),
                ("switches", self.switches),
                ("ligands", self.ligands),
            ):
                if isinstance(part.get(name), dict):
                    part[name] = {pick(known): v for v in part[name].values()}
            if part.get("own") is not None and self.random.random() < 0.5:
                part["own"] = None
        if "drug" in body:
            body["drug"] = pick(self.acting)
        if isinstance(body.get("doses"), list) and len(body["doses"]) < 4:
            body["doses"] = None
        self._file(path, body)

    def _file(self, path: str, body: dict[str, Any]) -> None:
        """A trial of the record, or a case, as it is or with one item drawn."""
        pick = self.random.choice
        if path == "/api/trials/check" or body.get("kind") in ("trial", "forecast"):
            drawn = body.pop("design", None)
            for key in ("trial", "yaml"):
                body.pop(key, None)
            if body.get("kind") and self.random.random() < 0.5:
                body["trial"] = pick(self.trials)
            else:
                from her2.trials.design import trial_path
                from her2.web.given import read_design

                text = trial_path(pick(self.trials)).read_text(encoding="utf-8")
                if self.random.random() < 0.3:
                    body["yaml"] = text
                    return
                body["design"] = read_design(text)
                if isinstance(drawn, dict) and drawn:
                    body["design"][pick(sorted(body["design"]))] = pick(list(drawn.values()))
        elif path == "/api/patient/check" or body.get("kind") in ("patient", "sequence"):
            drawn = body.pop("case", None)
            for key in ("bundle", "yaml"):
                body.pop(key, None)
            body["case"] = {
                "her2": "positive", "setting": pick(["metastatic", "adjuvant", "neoadjuvant"]),
                "age": self.random.randint(20, 90), "biomarkers": {"pten": pick(["lost", "present"])},
            }  # fmt: skip
            if isinstance(drawn, dict) and drawn:
                body["case"][pick(["age", "her2", "sites", "lines", "name"])] = pick(list(drawn.values()))


# ---- requests


def leaks(content: bytes) -> list[str]:
    """Traces of the program's inside in an answer."""
    words = [
        b"Traceback (most recent",
        str(ROOT).encode(),
        sys.prefix.encode(),
        tempfile.gettempdir().encode() + b"/",
    ]
    return [w.decode() for w in words if len(w) > 2 and w in content]


def own_check() -> str:
    """Register the check of headers and leaks, once; its name."""
    import schemathesis
    from schemathesis.checks import CHECKS

    def no_leak_and_all_headers(ctx: Any, response: Any, case: Any) -> None:
        missing = [
            h
            for h in EXPECTED_HEADERS
            if h not in response.headers and (h, response.status_code) != ("cache-control", 204)
        ]
        assert not missing, f"without {', '.join(missing)}"
        assert not leaks(response.content or b""), "a stack trace or a path of the machine in an answer"
        if response.status_code >= 400:
            kind = response.headers.get("content-type", [""])[0]
            assert kind == "application/problem+json", f"an error as {kind!r}"

    if "no_leak_and_all_headers" not in CHECKS.get_all_names():
        schemathesis.check(no_leak_and_all_headers)
    return "no_leak_and_all_headers"


def one_round(
    seed: int, examples: int, database: Path, is_first: bool, full: bool, token: str = ""
) -> tuple[Tally, set[str]]:
    """Requests to every operation; the tally and the operations described."""
    import schemathesis
    import schemathesis.hooks
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    own_check()
    shares = [
        {
            "include-name": label, "generation": {"max-examples": max(2, int(examples * share))},
            # at reduced size boundary values of what computes for long are left to the full size
            **({} if full or share > 1.0 else {"phases": {"coverage": {"enabled": False}}}),
        }
        for label, share in SHARE.items()
    ]  # fmt: skip
    config = SchemathesisConfig.from_dict({
        "seed": seed, "continue-on-failure": True, "max-stream-events": 1, "workers": 1, "warnings": False,
        "request-timeout": 120, "suppress-health-check": ["all"],
        "generation": {"max-examples": examples, "mode": "all", "no-shrink": True},
        "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}},
        "phases": {"coverage": {"enabled": is_first}},
        "operations": shares,
        **({"auth": {"openapi": {"token": {"bearer": token}}}} if token else {}),
    })  # fmt: skip
    app = server(database, token=token)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, config=config, headers=headers)
    names = Names(database, seed)

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        meta = case.meta
        if meta is not None and meta.phase.name.value == "fuzzing" and meta.generation.mode.is_positive:
            names.put(case)

    # of a round: the names of its own database
    schemathesis.hooks.unregister_all()
    schemathesis.hook(before_call)
    tally = Tally()
    began = time.monotonic()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            read_events(event, tally)
        elif isinstance(event, events.NonFatalError):
            tally.errors.append(f"{event.label}: {event.info.title}: {event.info.message}"[:300])
        elif isinstance(event, events.FatalError):
            tally.errors.append(f"{event.exception!r}"[:300])
    tally.seconds = time.monotonic() - began
    described = {
        f"{method.upper()} {path}" for path, item in schema.raw_schema["paths"].items() for method in item
    }
    return tally, described


def read_events(event: Any, tally: Tally) -> None:
    """Count what a scenario sent, and what was wrong with the answers."""
    recorder = event.recorder
    for name, interaction in recorder.interactions.items():
        case = recorder.cases[name].value
        status = interaction.response.status_code if interaction.response is not None else 0
        tally.requests[case.operation.label, status] += 1
        tally.phases[event.phase.value] += 1
        tally.modes[case.meta.generation.mode.value if case.meta is not None else "chained"] += 1
    for name, nodes in recorder.checks.items():
        for node in nodes:
            if node.failure_info is None:
                continue
            failure = node.failure_info.failure
            label = recorder.cases[name].value.operation.label
            found = tally.failures.setdefault((node.name, label), [0, ""])
            found[0] += 1
            if not found[1]:
                # what was sent, never what came back: an answer may be long
                sent = str(getattr(node.failure_info, "code_sample", ""))
                found[1] = tidied(f"{failure.title}: {failure.message} | {sent}")[:700]


def code_digest() -> str:
    """Of the code that answers: rounds of other code do not count."""
    import hashlib

    content = b"".join(p.read_bytes() for p in sorted((ROOT / "src" / "her2").rglob("*.py")))
    return hashlib.blake2b(content, digest_size=6).hexdigest()


def tidied(text: str) -> str:
    """Without places of this machine."""
    for word in (str(ROOT), sys.prefix, tempfile.gettempdir(), str(Path.home())):
        text = text.replace(word, "...") if len(word) > 1 else text
    return " ".join(text.split())


def ask_all(full: bool, seed: int, fresh: bool) -> tuple[Tally, set[str], list[str], int]:
    """All rounds: the tally, operations described, kinds of jobs run, and rounds."""
    wanted = FULL if full else REDUCED
    with tempfile.TemporaryDirectory(prefix="her2-http-") as scratch:
        folder = WORK if full else Path(scratch)
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        first = folder / "seeded.sqlite"
        kinds = folder / "kinds.json"
        if not kinds.exists():
            first.unlink(missing_ok=True)
            kinds.write_text(json.dumps(seed_database(first, full)), encoding="utf-8")
        total, described, rounds = Tally(), set[str](), 0
        code = code_digest()
        examples = ROUND if full else 5
        while sum(total.requests.values()) < wanted:
            # the second round asks a server with a token
            name = folder / f"round_{rounds}_{seed}_{code}.json"
            if not name.exists():
                copy = Path(scratch) / f"round_{rounds}.sqlite"
                shutil.copy(first, copy)
                made, paths = one_round(
                    seed * 1000 + rounds, examples, copy, rounds == 0, full, TOKEN if rounds == 1 else ""
                )
                kept = {**made.as_json(), "described": sorted(paths)}
                half = name.with_suffix(".part")
                half.write_text(json.dumps(kept), encoding="utf-8")
                half.replace(name)
            data = json.loads(name.read_text(encoding="utf-8"))
            total.add(data)
            described |= set(data["described"])
            rounds += 1
            print(
                f"round {rounds}: {sum(total.requests.values()):,} requests, {total.seconds:.0f} s, "
                f"{sum(n for n, _ in total.failures.values())} failures",
                flush=True,
            )
            for (check, label), (n, says) in sorted(total.failures.items()):
                print(f"  {check}, {label}: {n}: {says[:300]}", flush=True)
        return total, described, json.loads(kinds.read_text(encoding="utf-8")), rounds


# ---- the part


def figures(tally: Tally, described: set[str], kinds: list[str], full: bool) -> list[Figure]:
    """What the run gave."""
    n = sum(tally.requests.values())
    wanted = FULL if full else REDUCED
    by_check: Counter[str] = Counter()
    for (check, _), (times, _) in tally.failures.items():
        by_check[check] += times
    errors = sum(k for (_, status), k in tally.requests.items() if status >= 500 or status == 0)
    errors = max(errors, by_check.pop("not_a_server_error", 0))
    undocumented = sum(by_check.pop(c, 0) for c in UNDOCUMENTED)
    own = by_check.pop("no_leak_and_all_headers", 0)
    others = sum(by_check.values())
    reached = {label for label, _ in tally.requests}
    good = {label for label, status in tally.requests if 200 <= status < 300}
    accepted = sum(k for (_, status), k in tally.requests.items() if 200 <= status < 300)
    points = load_points()
    applying = [p for p in points if p["applies"]]
    gaps = missing_tests(points)
    tested = len(applying) - len({g.split(":")[0] for g in gaps})
    all_of_them = str(len(described))
    made = [
        Figure("requests", n, target=f">= {wanted:,}", met=n >= wanted,
               note=f"{tally.seconds / max(n, 1) * 1000:.0f} ms each with all checks"),
        Figure("operations asked", len(reached & described), target=all_of_them, met=reached >= described,
               note="all that the description has"),
        Figure("operations that answered with success", len(good), target=all_of_them if full else "",
               met=good >= described or not full,
               note=f"never: {', '.join(sorted(described - good))}" if described - good else ""),
        Figure("requests answered with success", accepted, note=f"{accepted / max(n, 1):.0%} of all"),
        Figure("ill-formed requests", tally.modes["negative"],
               note="wrong types, missing parts, undeclared methods"),
        Figure("server errors", errors, target="0", met=errors == 0, note="status 500 and above, or no answer"),
        Figure("undocumented answers", undocumented, target="0", met=undocumented == 0,
               note="status, media type, headers or body not as described"),
        Figure("other failed checks", others, target="0", met=others == 0,
               note="methods, refusals, deleted jobs, tokens"),
        Figure("answers without security headers, or with a trace or path", own, target="0", met=own == 0),
        Figure("errors of the tool", len(tally.errors), target="0", met=not tally.errors),
    ]  # fmt: skip
    if full:
        note = ", ".join(kinds)
        made.append(
            Figure("kinds of jobs run beforehand", len(kinds), target="4", met=len(kinds) == 4, note=note)
        )
    return [
        *made,
        Figure("points of ASVS 5.0 level 1 looked at", len(points), target="70", met=len(points) == 70),
        Figure("points that apply and have their test", tested, target=str(len(applying)), met=not gaps,
               note="; ".join(gaps) or "why the others do not apply is in the table of docs/explanation/security.md"),
    ]  # fmt: skip


def main() -> int:
    """Run the part."""
    options = parser(__doc__)
    options.add_argument("--fresh", action="store_true", help="forget the rounds of an earlier full run")
    asked = options.parse_args()
    began = time.monotonic()
    tally, described, kinds, rounds = ask_all(asked.full, asked.seed, asked.fresh)
    per_operation: dict[str, dict[str, int]] = {}
    for (label, status), n in sorted(tally.requests.items()):
        per_operation.setdefault(label, {})[str(status)] = n
    details = {
        "rounds": rounds, "phases": tally.phases, "modes": tally.modes, "answers": per_operation,
        "failures": [[*k, *v] for k, v in sorted(tally.failures.items())], "tool_errors": tally.errors,
    }  # fmt: skip
    seconds = tally.seconds if asked.full else time.monotonic() - began
    return finish(
        "http", asked.full, asked.seed, figures(tally, described, kinds, asked.full), seconds, details
    )


if __name__ == "__main__":
    sys.exit(main())
