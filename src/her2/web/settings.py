"""What a server is told at its start: where it listens, where jobs are kept, and how much one may ask of it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from her2.errors import Her2Error

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
    streams : event streams open at once
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
    streams: int = 200


@dataclass(frozen=True)
class Settings:
    """A server.

    Attributes
    ----------
    host, port : where it listens
    database : SQLAlchemy URL; default a file in the user's cache folder
    token : what clients must know; required on any address but loopback
    workers : processes that run jobs; 0 for a server that only keeps them
    threads : of one worker; 0 for the cores shared out among the workers
    static : folder of the built front end
    lease_s : a job whose server has not been heard of for so long is begun anew
    """

    host: str = "127.0.0.1"
    port: int = 8765
    database: str = ""
    token: str = ""
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
        if self.token != self.token.strip() or " " in self.token or ";" in self.token:
            raise Her2Error("--token: expected no blanks and no semicolons")


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
