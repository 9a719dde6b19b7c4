"""Make the first screen: CLEOPATRA simulated, and a cell under its drugs, as one file of the package.

    her2 serve --precompute

writes `precomputed/cleopatra.json` beside this module; `python -m her2.web.precompute --out DIR` elsewhere. It is made
anew after every new posterior: the file holds the digest of the one it was made with.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from her2.errors import OutputError
from her2.web.conditions import ConditionIn
from her2.web.reply import dump

TRIAL = "cleopatra"
FOLDER = Path(__file__).resolve().parent / "precomputed"
PATIENTS, TRIALS, SEED = 4000, 1000, 1
BARS, FEW = 200, 24
"""Patients of an arm in the waterfall, and in swimmer and spider, of the first screen."""
CONDITION = ConditionIn(
    cell="reference", drugs={"trastuzumab": "clinical", "pertuzumab": "clinical", "docetaxel": "clinical"},
    where="tumour", days=28.0,
)  # fmt: skip


def precompute(
    folder: Path = FOLDER, *, patients: int = PATIENTS, trials: int = TRIALS, seed: int = SEED, jobs: int = 0
) -> Path:
    """Simulate, and write the file.

    Parameters
    ----------
    patients, trials, seed : as `her2 trial`
    jobs : threads; 0 for one per core. The digits do not depend on it

    Raises
    ------
    her2.errors.OutputError
        The file cannot be written.
    """
    from her2.trials.design import load_trial
    from her2.trials.run import simulate_trial
    from her2.web import pathway
    from her2.web.jobs.trial_result import shown, tables_of

    result = simulate_trial(
        load_trial(TRIAL), patients=patients, trials=trials, seed=seed, jobs=jobs or os.cpu_count() or 1
    )
    trial = shown(result, tables_of(result), result.digest[:12], BARS, FEW)
    # the form fetches the file when it is opened; times differ from run to run
    trial.pop("design")
    trial["result"].pop("elapsed_s")
    state: dict[str, Any] = pathway.state(CONDITION)
    state.pop("milliseconds")
    content = {
        "precomputed": datetime.now(UTC).strftime("%Y-%m-%d"), "trial": trial,
        "network": {"condition": CONDITION.model_dump(mode="json", exclude_none=True), "state": state},
        "settings": {"patients": patients, "trials": trials, "seed": seed},
    }  # fmt: skip
    path = folder / f"{TRIAL}.json"
    fresh = path.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(dump(content) + b"\n")
        fresh.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); give another --out"
        ) from error
    return path


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description="Make the first screen of the page.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the file")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--jobs", type=int, default=0, help="threads")
    given = parser.parse_args()
    path = precompute(given.out, patients=given.patients, trials=given.trials, jobs=given.jobs)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
