"""The few exceptions `her2` raises on purpose; the command line turns them into one line and exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Her2Error(Exception):
    """Something the user can put right; its text says where, what was expected, what came and the way out."""


class RecordError(Her2Error):
    """A file of the record or of the user does not say what its kind of file has to say."""


class UnknownNameError(Her2Error):
    """A trial, agent, column, parameter or switch that does not exist."""


class NetworkError(Her2Error):
    """The pathway graph cannot be evaluated: unknown node, or a cycle without a slow state."""


class OutputError(Her2Error):
    """A result cannot be written; nothing half-written is left behind."""


class StoreError(Her2Error):
    """Stored results cannot be read: damaged, missing, or of another run."""


class ClusterError(Her2Error):
    """A cluster cannot be reached, or its workers differ from this machine."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """`; nearest: 'x'` for the closest valid name, or the empty string if none is close."""
    match = difflib.get_close_matches(str(name)[:200], [str(v) for v in valid], n=1, cutoff=0.5)
    return f"; nearest: '{match[0]}'" if match else ""


def unknown(kind: str, name: str, valid: Iterable[str], where: str = "") -> UnknownNameError:
    """An `UnknownNameError` that lists the valid names and points to the nearest."""
    name = name if len(name) <= 200 else f"{name[:200]}..."
    options = sorted(str(v) for v in valid)
    listed = ", ".join(options[:30]) + (", ..." if len(options) > 30 else "")
    place = f"{where}: " if where else ""
    return UnknownNameError(f"{place}unknown {kind} '{name}'{nearest(name, options)} (valid: {listed})")
