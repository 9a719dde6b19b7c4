"""What names a number of the model: version, posterior, seed and digest."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def posterior_digest() -> str:
    """BLAKE2b digest of the shipped ensemble, as the run record holds it."""
    from her2.posterior import ENSEMBLE
    from her2.trials.write import digest_of

    return digest_of(ENSEMBLE.read_bytes())


def run_key(digest: str, seed: int | None = None, name: str = "") -> dict[str, Any]:
    """The `run` of an answer.

    Parameters
    ----------
    name : id of the job; default the beginning of the digest
    """
    from her2 import __version__

    return {
        "id": name or digest[:12], "digest": digest, "version": __version__,
        "posterior": posterior_digest(), "seed": seed,
    }  # fmt: skip
