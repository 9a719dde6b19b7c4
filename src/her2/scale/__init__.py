"""Where simulations run: on this machine, or on the workers of a Dask cluster.

An executor runs one function on many small specifications. `simulate_pool`, and with it every command, spreads its
patients over the executor that is in `use`; random numbers are keyed by patient, so that the digits are the same
wherever and in whatever order the parts run.

    with open_executor("local:4") as executor, use(executor):
        her2.trial("cleopatra").simulate()
"""

from her2.scale.executor import AbstractExecutor, LocalExecutor, active, use
from her2.scale.fingerprint import check_fingerprint, fingerprint
from her2.scale.where import open_executor

__all__ = [
    "AbstractExecutor",
    "LocalExecutor",
    "active",
    "check_fingerprint",
    "fingerprint",
    "open_executor",
    "use",
]
