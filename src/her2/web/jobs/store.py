"""Jobs in a database: SQLite in a file, or PostgreSQL for a server that several people share.

A job is `queued`, `running`, `done`, `failed` or `cancelled`. Who runs one holds a lease on it and renews it; a job
whose lease has run out lost its server, and is queued again. Every change of state names the state it comes from in the
same statement, so that of two servers only one succeeds: no job is lost, none is finished twice.
"""

from __future__ import annotations

import json
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

try:
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, SQLAlchemyError
except ModuleNotFoundError as error:  # pragma: no cover
    from her2.errors import Her2Error

    raise Her2Error("the server needs the extra 'web': pip install 'her2[web]'") from error

from her2.errors import Her2Error

STATES = ("queued", "running", "done", "failed", "cancelled")
FINISHED = ("done", "failed", "cancelled")
SCHEMA = 1
"""Version of the tables; a database with another one is refused."""

metadata = sa.MetaData()
schema_table = sa.Table("her2_schema", metadata, sa.Column("version", sa.Integer, nullable=False))
jobs = sa.Table(
    "her2_jobs", metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("key", sa.String(200), unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("state", sa.String(12), nullable=False, index=True),
    sa.Column("stage", sa.String(120), nullable=False, default=""),
    sa.Column("share", sa.Float, nullable=False, default=0.0),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("owner", sa.String(40), nullable=False, default=""),
    sa.Column("lease", sa.Float, nullable=False, default=0.0),
    sa.Column("cancel_wanted", sa.Boolean, nullable=False, default=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("digest", sa.String(80), nullable=False, default=""),
    sa.Column("has_result", sa.Boolean, nullable=False, default=False),
    sa.Column("has_files", sa.Boolean, nullable=False, default=False),
)  # fmt: skip
results = sa.Table(
    "her2_results", metadata,
    sa.Column("job", sa.String(32), primary_key=True), sa.Column("content", sa.LargeBinary, nullable=False),
)  # fmt: skip
files = sa.Table(
    "her2_files", metadata,
    sa.Column("job", sa.String(32), primary_key=True), sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("type", sa.String(80), nullable=False), sa.Column("what", sa.String(20), nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False), sa.Column("content", sa.LargeBinary, nullable=False),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job as the database has it; times are seconds since 1970."""

    number: int
    id: str
    kind: str
    title: str
    input: dict[str, Any]
    state: str
    stage: str
    share: float
    attempt: int
    owner: str
    cancel_wanted: bool
    created: float
    started: float | None
    finished: float | None
    error: str
    digest: str
    has_result: bool
    has_files: bool

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in FINISHED

    def shown(self, position: int | None = None) -> dict[str, Any]:
        """As answers show it."""
        seconds = None
        if self.started is not None:
            seconds = round((self.finished or time.time()) - self.started, 3)
        return {
            "id": self.id, "kind": self.kind, "title": self.title, "state": self.state, "stage": self.stage,
            "share": round(min(max(self.share, 0.0), 1.0), 4), "position": position, "attempt": self.attempt,
            "created": _moment(self.created), "started": _moment(self.started), "finished": _moment(self.finished),
            "seconds": seconds, "error": self.error, "digest": self.digest, "has_result": self.has_result,
            "has_files": self.has_files, "input": self.input,
        }  # fmt: skip


@dataclass(frozen=True)
class StoredFile:
    """A file of a job."""

    name: str
    type: str
    what: str
    content: bytes


class Store:
    """The database of jobs."""

    def __init__(self, url: str, lease_s: float = 10.0) -> None:
        """Open or make the tables.

        Raises
        ------
        her2.errors.Her2Error
            A URL that cannot be read, a database that cannot be reached, or tables of another version.
        """
        self.lease_s = lease_s
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise Her2Error(
                f"--database {url[:60]}: no database URL; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
            ) from error
        self.shown = parsed.render_as_string(hide_password=True)
        kind = parsed.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise Her2Error(f"--database {self.shown}: expected sqlite or postgresql, got '{kind}'")
        if kind == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = kind == "sqlite"
        if self.is_sqlite and parsed.database not in (None, "", ":memory:"):
            folder = Path(str(parsed.database)).resolve().parent
            if not folder.is_dir():
                raise Her2Error(
                    f"--database {self.shown}: the folder {folder} does not exist; make it, or give another"
                )
        try:
            self.engine = self._open(parsed)
            with self.engine.begin() as c:
                if not self.is_sqlite:
                    # two servers that start at once make the tables one after the other
                    c.execute(sa.text("SELECT pg_advisory_xact_lock(484552325)"))
                metadata.create_all(c)
                version = c.execute(sa.select(schema_table.c.version)).scalar()
                if version is None:
                    c.execute(schema_table.insert().values(version=SCHEMA))
        except ModuleNotFoundError as error:
            raise Her2Error("PostgreSQL needs the extra 'postgres': pip install 'her2[postgres]'") from error
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise Her2Error(f"--database {self.shown}: cannot be opened ({reason}); check the URL") from error
        if version not in (None, SCHEMA):
            raise Her2Error(
                f"--database {self.shown}: holds tables of version {version}, this server needs {SCHEMA}; "
                "give another database"
            )

    def _open(self, url: sa.URL) -> sa.Engine:
        if not self.is_sqlite:
            return sa.create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True)
        in_memory = url.database in (None, "", ":memory:")
        options: dict[str, Any] = {"poolclass": sa.StaticPool} if in_memory else {}
        engine = sa.create_engine(url, connect_args={"timeout": 30, "check_same_thread": False}, **options)

        @sa.event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            # a job that was accepted is on the disk
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA busy_timeout=30000")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def _write_at_once(connection: sa.Connection) -> None:
            # a transaction that reads first and writes then would fail where another one writes in between
            if not connection.get_execution_options().get("her2_reads"):
                connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def ping(self) -> None:
        """Ask the database for nothing.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If it does not answer.
        """
        with self._read() as c:
            c.execute(sa.select(1))

    def _read(self) -> sa.Connection:
        """A connection that only reads, outside any transaction: readers and a writer do not wait for each other."""
        if self.is_sqlite:
            return self.engine.connect().execution_options(her2_reads=True)
        return self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    # ---- making and finding

    def add(
        self, kind: str, title: str, asked: Mapping[str, Any], key: str | None = None, most: int | None = None
    ) -> tuple[Job, bool]:
        """A new job, or the one that the same key made before.

        Parameters
        ----------
        most : queued and running jobs allowed

        Returns
        -------
        The job, and whether it is new.

        Raises
        ------
        QueueFull
            If there are as many jobs already.
        """
        for _ in range(3):
            if key is not None:
                with self._read() as c:
                    row = c.execute(sa.select(jobs).where(jobs.c.key == key)).mappings().first()
                if row is not None:
                    return _job(row), False
            values = {
                "id": secrets.token_hex(12), "key": key, "kind": kind, "title": title[:300],
                "input": json.dumps(dict(asked), ensure_ascii=False), "state": "queued", "stage": "queued",
                "share": 0.0, "attempt": 0, "owner": "", "lease": 0.0, "cancel_wanted": False,
                "created": time.time(), "error": "", "digest": "", "has_result": False, "has_files": False,
            }  # fmt: skip
            try:
                with self.engine.begin() as c:
                    if most is not None:
                        waiting = sa.select(sa.func.count()).where(jobs.c.state.in_(("queued", "running")))
                        if int(c.execute(waiting).scalar_one()) >= most:
                            raise QueueFull(
                                f"{most} jobs are queued or running already; come again when some are done"
                            )
                    c.execute(jobs.insert().values(values))
            except IntegrityError:
                # the same key at the same time
                continue
            found = self.get(str(values["id"]))
            if found is not None:
                return found, True
        raise Her2Error("the job could not be stored; try again")

    def get(self, name: str) -> Job | None:
        """A job by id."""
        with self._read() as c:
            row = c.execute(sa.select(jobs).where(jobs.c.id == name)).mappings().first()
        return None if row is None else _job(row)

    def position(self, job: Job) -> int | None:
        """Jobs before it in the queue; None if it is not queued."""
        if job.state != "queued":
            return None
        with self._read() as c:
            before = sa.select(sa.func.count()).where(jobs.c.state == "queued", jobs.c.number < job.number)
            return int(c.execute(before).scalar_one())

    def listed(self, limit: int, state: str | None = None, kind: str | None = None) -> list[Job]:
        """Jobs, the newest first."""
        question = sa.select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if state is not None:
            question = question.where(jobs.c.state == state)
        if kind is not None:
            question = question.where(jobs.c.kind == kind)
        with self._read() as c:
            return [_job(r) for r in c.execute(question).mappings()]

    # ---- the life of a job

    def claim(self, owner: str) -> Job | None:
        """Take the oldest queued job, or None."""
        with self.engine.begin() as c:
            first = (
                sa.select(jobs.c.id)
                .where(jobs.c.state == "queued")
                .order_by(jobs.c.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            name = c.execute(first).scalar()
            if name is None:
                return None
            now = time.time()
            changed = c.execute(
                jobs.update()
                .where(jobs.c.id == name, jobs.c.state == "queued")
                .values(
                    state="running", stage="starting", share=0.0, owner=owner, lease=now + self.lease_s,
                    attempt=jobs.c.attempt + 1, started=now, finished=None, error="", cancel_wanted=False,
                )
            )  # fmt: skip
            if changed.rowcount != 1:
                return None
            row = c.execute(sa.select(jobs).where(jobs.c.id == name)).mappings().one()
        return _job(row)

    def renew(self, job: Job, stage: str, share: float) -> str:
        """Keep a running job and note how far it is.

        Returns
        -------
        `go on`, `cancel` if somebody wants it cancelled, `lost` if it is no longer ours.
        """
        with self.engine.begin() as c:
            changed = c.execute(
                jobs.update()
                .where(*self._ours(job))
                .values(lease=time.time() + self.lease_s, stage=stage[:120], share=share)
            )
            if changed.rowcount != 1:
                return "lost"
            wanted = c.execute(sa.select(jobs.c.cancel_wanted).where(jobs.c.id == job.id)).scalar_one()
        return "cancel" if wanted else "go on"

    def put_result(self, job: Job, content: bytes, digest: str) -> bool:
        """Store what a job found; False if it is no longer ours."""
        with self.engine.begin() as c:
            changed = c.execute(jobs.update().where(*self._ours(job)).values(has_result=True, digest=digest))
            if changed.rowcount != 1:
                return False
            c.execute(results.delete().where(results.c.job == job.id))
            c.execute(results.insert().values(job=job.id, content=zlib.compress(content, 6)))
        return True

    def finish(
        self,
        job: Job,
        state: str,
        error: str = "",
        made: Iterable[StoredFile] = (),
        forget_input: bool = False,
    ) -> bool:
        """End a running job, with its files in the same transaction; False if it is no longer ours."""
        rows = [
            {"job": job.id, "name": f.name, "type": f.type, "what": f.what, "bytes": len(f.content),
             "content": zlib.compress(f.content, 6)}
            for f in made
        ]  # fmt: skip
        values: dict[str, Any] = {
            "state": state, "error": error, "finished": time.time(), "owner": "", "lease": 0.0,
            "has_files": bool(rows), "cancel_wanted": False,
        }  # fmt: skip
        if state == "done":
            values |= {"share": 1.0, "stage": "done"}
        if forget_input:
            values["input"] = "{}"
        with self.engine.begin() as c:
            if c.execute(jobs.update().where(*self._ours(job)).values(values)).rowcount != 1:
                return False
            c.execute(files.delete().where(files.c.job == job.id))
            if rows:
                c.execute(files.insert(), rows)
        return True

    def put_back(self, job: Job) -> bool:
        """Queue a running job again, as when the server stops."""
        with self.engine.begin() as c:
            again = (
                jobs.update()
                .where(*self._ours(job))
                .values(state="queued", stage="queued", owner="", share=0.0)
            )
            return c.execute(again).rowcount == 1

    def requeue_lost(self, attempts: int) -> int:
        """Queue jobs whose server is gone again; those begun too often fail, those to be cancelled are.

        Returns
        -------
        Jobs queued again.
        """
        now = time.time()
        lost = (jobs.c.state == "running", jobs.c.lease < now)
        with self._read() as c:
            if c.execute(sa.select(sa.func.count()).where(*lost)).scalar_one() == 0:
                return 0
        with self.engine.begin() as c:
            free: dict[str, Any] = {"owner": "", "lease": 0.0}
            c.execute(
                jobs.update()
                .where(*lost, jobs.c.cancel_wanted)
                .values(state="cancelled", finished=now, **free)
            )
            text = (
                f"interrupted {attempts} times, so that it may be what stops the server; resume tries again"
            )
            c.execute(
                jobs.update()
                .where(*lost, jobs.c.attempt >= attempts)
                .values(state="failed", error=text, finished=now, **free)
            )
            again = c.execute(
                jobs.update().where(*lost).values(state="queued", stage="queued", share=0.0, **free)
            )
        return int(again.rowcount)

    def cancel(self, name: str) -> bool:
        """Cancel a queued job at once, ask the server of a running one; False if it is finished."""
        with self.engine.begin() as c:
            queued = c.execute(
                jobs.update()
                .where(jobs.c.id == name, jobs.c.state == "queued")
                .values(state="cancelled", finished=time.time(), stage="cancelled")
            )
            if queued.rowcount == 1:
                return True
            running = c.execute(
                jobs.update().where(jobs.c.id == name, jobs.c.state == "running").values(cancel_wanted=True)
            )
        return running.rowcount == 1

    def resume(self, name: str, most: int) -> bool:
        """Queue a cancelled or failed job again; False if it is in another state.

        Raises
        ------
        QueueFull
            If there are `most` jobs already.
        """
        with self.engine.begin() as c:
            waiting = sa.select(sa.func.count()).where(jobs.c.state.in_(("queued", "running")))
            if int(c.execute(waiting).scalar_one()) >= most:
                raise QueueFull(f"{most} jobs are queued or running already; come again when some are done")
            changed = c.execute(
                jobs.update()
                .where(jobs.c.id == name, jobs.c.state.in_(("cancelled", "failed")))
                .values(
                    state="queued", stage="queued", share=0.0, attempt=0, error="", started=None, finished=None,
                    cancel_wanted=False, has_result=False, has_files=False,
                )
            )  # fmt: skip
            if changed.rowcount == 1:
                for table in (results, files):
                    c.execute(table.delete().where(table.c.job == name))
        return changed.rowcount == 1

    def forget(self, name: str) -> bool:
        """Delete a job with its result and files; a running one stops as it is no longer anyone's."""
        with self.engine.begin() as c:
            for table in (results, files):
                c.execute(table.delete().where(table.c.job == name))
            return c.execute(jobs.delete().where(jobs.c.id == name)).rowcount == 1

    def tidy(self, days: float, patient_days: float, most: int) -> None:
        """Forget finished jobs that are older, those of patients sooner, and all but the newest."""
        now = time.time()
        ended = jobs.c.state.in_(FINISHED)
        of_patients = jobs.c.kind.in_(("patient", "sequence"))
        old = sa.or_(
            jobs.c.finished < now - 86_400.0 * days,
            sa.and_(of_patients, jobs.c.finished < now - 86_400.0 * patient_days),
        )
        with self._read() as c:
            names = list(c.execute(sa.select(jobs.c.id).where(ended, old)).scalars())
            newest = sa.select(jobs.c.id).where(ended).order_by(jobs.c.number.desc()).offset(most).limit(1000)
            names += list(c.execute(newest).scalars())
        for name in dict.fromkeys(names):
            self.forget(name)

    # ---- what was found

    def result(self, name: str) -> bytes | None:
        """What a job found, as JSON."""
        with self._read() as c:
            content = c.execute(sa.select(results.c.content).where(results.c.job == name)).scalar()
        return None if content is None else zlib.decompress(content)

    def file_list(self, name: str) -> list[dict[str, Any]]:
        """Files of a job without their content."""
        question = sa.select(files.c.name, files.c.type, files.c.what, files.c.bytes).where(
            files.c.job == name
        )
        with self._read() as c:
            return [dict(r) for r in c.execute(question.order_by(files.c.name)).mappings()]

    def file(self, name: str, file: str) -> StoredFile | None:
        """One file of a job."""
        question = sa.select(files).where(files.c.job == name, files.c.name == file)
        with self._read() as c:
            row = c.execute(question).mappings().first()
        if row is None:
            return None
        return StoredFile(row["name"], row["type"], row["what"], zlib.decompress(row["content"]))

    def _ours(self, job: Job) -> tuple[Any, ...]:
        """Still running, by us, in the same attempt."""
        return (
            jobs.c.id == job.id, jobs.c.state == "running", jobs.c.owner == job.owner, jobs.c.attempt == job.attempt,
        )  # fmt: skip


class QueueFull(Exception):
    """As many jobs as the server takes are waiting."""


def is_transient(error: Exception) -> bool:
    """Whether the database may answer again later."""
    return isinstance(error, OperationalError)


def _job(row: Any) -> Job:
    names = Job.__dataclass_fields__
    values = {k: row[k] for k in names}
    values["input"] = json.loads(row["input"])
    return Job(**values)


def _moment(seconds: float | None) -> str | None:
    """ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
