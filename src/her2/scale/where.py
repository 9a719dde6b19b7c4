"""From the text of `--dask` to an executor."""

from __future__ import annotations

import re
from pathlib import Path

from her2.errors import ClusterError
from her2.scale.executor import AbstractExecutor, LocalExecutor

_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")


def open_executor(where: str | None, jobs: int = 1) -> AbstractExecutor:
    """The executor a user asks for.

    Parameters
    ----------
    where : None for this process; `local:N` for N worker processes on this machine, reachable from this machine only;
        the address of a Dask scheduler, such as `tcp://10.0.0.5:8786`; or the path of a scheduler file (JSON)
    jobs : threads, where everything runs in this process

    Raises
    ------
    her2.errors.ClusterError
        If the text is none of these, the extra `dask` is not installed, or no scheduler answers.
    """
    if where is None:
        return LocalExecutor(jobs)
    local = re.fullmatch(r"local:(\d{1,4})", where)
    scheme = where.partition("://")[0] if "://" in where else ""
    if not (local and int(local[1])) and scheme not in _SCHEMES and not where.endswith(".json"):
        raise ClusterError(
            f"--dask {where}: expected local:N with N of 1 or more, the address of a Dask scheduler such as "
            "tcp://10.0.0.5:8786, or its scheduler file (.json)"
        )
    try:
        from her2.scale.dask import DaskExecutor
    except ImportError as error:
        raise ClusterError(
            f"--dask {where}: Dask is not installed ({error}); install the extra with: pip install 'her2[dask]'"
        ) from None
    if local:
        return DaskExecutor.on_this_machine(int(local[1]))
    if where.endswith(".json") and not scheme:
        if not Path(where).is_file():
            raise ClusterError(f"--dask {where}: no such file; `dask scheduler --scheduler-file` writes it")
        return DaskExecutor.connect(scheduler_file=where)
    return DaskExecutor.connect(address=where)
