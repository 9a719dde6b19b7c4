"""A worker process: reads jobs from its standard input, works, writes what happens to its standard output.

Messages are pickles between the server and its own child, each after its length. When the server is gone the input
ends, and the worker ends with it at once, in the middle of a job, too: nobody would take the result.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import threading
import time
from typing import IO, Any

HEAD = struct.Struct("<Q")
NICENESS = 10
"""Reading has precedence over jobs."""
PROGRESS_EVERY_S = 0.1


class Cancelled(BaseException):
    """The job is to stop; no `Exception`, so that nothing on the way takes it for an error of its own."""


def write_message(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Length and pickle."""
    content = pickle.dumps(message)
    stream.write(HEAD.pack(len(content)) + content)
    stream.flush()


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message, None at the end."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (length,) = HEAD.unpack(head)
    content = stream.read(length)
    if len(content) < length:
        return None
    message: dict[str, Any] = pickle.loads(content)
    return message


def main() -> None:
    """Work until the input ends."""
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    # what a library prints must not come between the messages
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    cancelled: set[str] = set()
    lock = threading.Lock()

    def listen() -> None:
        while (message := read_message(incoming)) is not None:
            if message["type"] == "cancel":
                cancelled.add(message["ticket"])
            else:
                asked.put(message)
        os._exit(0)

    def tell(message: dict[str, Any]) -> None:
        with lock:
            write_message(outgoing, message)

    threading.Thread(target=listen, daemon=True).start()
    tell({"type": "ready"})
    while True:
        message = asked.get()
        if message["type"] == "warm":
            _warm()
            continue
        _run(message, tell, cancelled)


def _run(message: dict[str, Any], tell: Any, cancelled: set[str]) -> None:
    from her2.errors import Her2Error
    from her2.web.jobs.work import Reports, run_job

    ticket = message["ticket"]
    last = 0.0
    stage_before = ""

    def check() -> None:
        if ticket in cancelled:
            raise Cancelled

    def progress(stage: str, share: float, done: int, of: int) -> None:
        nonlocal last, stage_before
        check()
        now = time.monotonic()
        if stage != stage_before or now - last >= PROGRESS_EVERY_S:
            last, stage_before = now, stage
            tell(
                {"type": "progress", "ticket": ticket, "stage": stage, "share": share, "done": done, "of": of}
            )

    def partial(data: dict[str, Any]) -> None:
        check()
        tell({"type": "partial", "ticket": ticket, "data": data})

    def result(content: bytes, digest: str) -> None:
        check()
        tell({"type": "result", "ticket": ticket, "content": content, "digest": digest})

    try:
        made = run_job(
            message["job"],
            message["kind"],
            message["input"],
            message["threads"],
            Reports(progress, partial, result),
        )
        check()
    except Cancelled:
        tell({"type": "cancelled", "ticket": ticket})
    except Her2Error as error:
        tell({"type": "failed", "ticket": ticket, "error": str(error)})
    except MemoryError:
        tell({"type": "failed", "ticket": ticket, "error": "not enough memory; ask for fewer patients"})
    except Exception as error:
        import traceback

        traceback.print_exc()
        tell({"type": "failed", "ticket": ticket, "error": f"unforeseen: {type(error).__name__}: {error}"})
    else:
        rows = [(f.name, f.type, f.what, f.content) for f in made]
        tell({"type": "done", "ticket": ticket, "files": rows})


def _warm() -> None:
    """Load what the first job would wait for; errors show when a job meets them."""
    import contextlib

    with contextlib.suppress(Exception):
        from her2.posterior import central_model
        from her2.trials.design import load_trial
        from her2.trials.follow import simulate_pool

        simulate_pool(central_model(), load_trial("cleopatra"), 64, 1)


if __name__ == "__main__":
    main()
