"""What a server is told at its start: where it listens, where jobs are kept, and how much one may ask of it."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from her2.errors import Her2Error, unknown

HOST_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STATIC = Path(__file__).resolve().parent / "static"


@dataclass(frozen=True)
class Limits:
    """The most that one request, one job and all jobs together may ask for.

    Attributes
    ----------
    body_bytes : of a request
    patients, trials, members : of a trial job
    draws, twins : of a patient or sequence job
    job_seconds : a job that takes longer is stopped
    active_jobs : queued and running together
    attempts : times that a job is begun before it counts as failed
    kept_jobs : finished jobs that are kept, the newest
    kept_days, kept_patient_days : how long a finished job is kept
    requests_per_second, burst : of one client; refilled continuously
    requests_at_once : of one client that are not answered in full yet, event streams among them
    request_seconds : until an answer has to begin
    body_seconds : until the body of a request has to be there
    header_seconds : until the first lines of a request have to be there
    header_bytes : of the first lines of a request
    connections : of all clients together
    streams : event streams open at once
    wrong_tokens : of one client at once; one more every five seconds
    session_hours : without a request, after which a browser has to sign in again
    """

    body_bytes: int = 2_000_000
    patients: int = 20_000
    trials: int = 5_000
    members: int = 64
    draws: int = 20_000
    twins: int = 2_000
    job_seconds: float = 1800.0
    active_jobs: int = 100
    attempts: int = 12
    kept_jobs: int = 500
    kept_days: float = 30.0
    kept_patient_days: float = 1.0
    requests_per_second: float = 100.0
    burst: float = 400.0
    requests_at_once: int = 100
    request_seconds: float = 120.0
    body_seconds: float = 30.0
    header_seconds: float = 10.0
    header_bytes: int = 32_768
    connections: int = 1000
    streams: int = 200
    wrong_tokens: int = 10
    session_hours: float = 12.0


def limits_of(given: Iterable[str], limits: Limits | None = None) -> Limits:
    """Limits with some of them set, as the command line gives them.

    Parameters
    ----------
    given : `NAME=NUMBER` each
    limits : to begin with; default the usual ones

    Raises
    ------
    her2.errors.Her2Error
        An unknown name, no number, or a number that is not positive.
    """
    chosen = limits or Limits()
    kinds = {f.name: type(getattr(chosen, f.name)) for f in fields(Limits)}
    for text in given:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise unknown("limit", name, kinds, "--limit")
        try:
            value = kinds[name](number)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            whole = "a whole number" if kinds[name] is int else "a number"
            raise Her2Error(f"--limit {name}: expected {whole} above 0, got '{number[:40]}'")
        chosen = replace(chosen, **{name: value})
    return chosen


@dataclass(frozen=True)
class Settings:
    """A server.

    Attributes
    ----------
    host, port : where it listens
    database : SQLAlchemy URL; default a file in the user's cache folder
    token : what clients must know; required on any address but loopback
    hosts : names under which clients may ask; without them a loopback server takes the names of loopback, any other
        server every name, as the token keeps strangers out
    origins : pages of other sites that may read answers with the token, as `https://example.org`
    certificate, key : files for TLS; without them the server speaks plain HTTP
    behind_tls : a proxy in front of the server speaks TLS, so that cookies may demand it
    workers : processes that run jobs; 0 for a server that only keeps them
    threads : of one worker; 0 for the cores shared out among the workers
    static : folder of the built front end
    lease_s : a job whose server has not been heard of for so long is begun anew
    """

    host: str = "127.0.0.1"
    port: int = 8765
    # neither is for a log: the address of a database may hold a password
    database: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    behind_tls: bool = False
    workers: int = 1
    threads: int = 0
    static: Path = STATIC
    limits: Limits = field(default_factory=Limits)
    lease_s: float = 10.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the server over TLS."""
        return self.certificate is not None or self.behind_tls

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which the server answers, in lower case; none for every name."""
        if self.hosts:
            return (*(h.lower() for h in self.hosts), *LOOPBACK)
        return LOOPBACK if self.is_loopback else ()

    @property
    def database_url(self) -> str:
        """URL of the database, the default one where none is given."""
        return self.database or f"sqlite:///{cache_folder() / 'jobs.sqlite'}"

    @property
    def worker_threads(self) -> int:
        """Threads of one worker."""
        return self.threads or max(1, (os.cpu_count() or 1) // max(1, self.workers))

    def check(self) -> None:
        """Refuse a server that strangers could use.

        Raises
        ------
        her2.errors.Her2Error
            Another address than loopback without a token, or a token that can be guessed.
        """
        if not self.is_loopback and not self.token:
            raise Her2Error(
                f"--host {self.host}: other machines could reach the server; give --token TEXT, which clients must "
                "know, or leave the host at 127.0.0.1"
            )
        if self.token and (len(self.token) < 12 or not self.token.isascii() or not self.token.isprintable()):
            raise Her2Error(
                "--token: expected 12 printable ASCII characters or more, so that it is not guessed"
            )
        if " " in self.token:
            raise Her2Error("--token: expected no blanks")
        if self.token and len(set(self.token)) < 6:
            raise Her2Error("--token: expected 6 different characters or more, so that it is not guessed")
        for name in self.hosts:
            if not re.fullmatch(HOST_NAME, name):
                raise Her2Error(
                    f"--allow-host {name[:80]}: expected a name or address without a port, as her2.example.org"
                )
        for origin in self.origins:
            if not re.fullmatch(rf"https?://(?:{HOST_NAME}|\[[0-9a-f:.]+\])(?::\d{{1,5}})?", origin):
                raise Her2Error(
                    f"--allow-origin {origin[:80]}: expected scheme, name and port of one site in lower case, as "
                    "https://example.org:8443; '*' is not taken"
                )
        if (self.certificate is None) != (self.key is None):
            raise Her2Error("--certificate and --key: expected both or neither")
        for option, path in (("--certificate", self.certificate), ("--key", self.key)):
            if path is not None and not path.is_file():
                raise Her2Error(f"{option} {path}: no such file")


def cache_folder() -> Path:
    """The user's folder for what can be made again, `her2` in it; made if missing.

    Raises
    ------
    her2.errors.Her2Error
        It cannot be made.
    """
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    folder = base / "her2"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Her2Error(
            f"{folder}: cannot be made ({error.strerror or error}); give --database sqlite:///FILE"
        ) from error
    return folder
