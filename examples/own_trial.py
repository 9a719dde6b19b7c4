"""A trial of one's own from Python: CLEOPATRA with docetaxel at 100 mg/m2 instead of 75 mg/m2.

The same patients are followed in both versions (twins), so that the difference is not blurred by chance.

    python examples/own_trial.py [PATIENTS]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from her2.posterior import central_model
from her2.trials.analyse import Estimate, arm_statistics, observe_arms
from her2.trials.design import Trial, load_trial, trial_path
from her2.trials.follow import simulate_pool


def with_dose(agent: str, dose: str) -> Trial:
    """CLEOPATRA with another dose of one agent in every arm, read and checked as any trial file."""
    data = yaml.safe_load(trial_path("cleopatra").read_text(encoding="utf-8"))
    data["id"] = "cleopatra_other_dose"
    del data["study"]  # another dose than the published: nothing to compare with
    for arm in data["arms"]:
        for component in arm["regimen"]:
            if component["agent"] == agent:
                component["dose"] = dose
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cleopatra_other_dose.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return load_trial(str(path))


def statistics(trial: Trial, patients: int) -> list[dict[str, Estimate]]:
    """Statistics of every arm when all patients are followed on it."""
    pool = simulate_pool(central_model(), trial, patients, seed=1)
    return [arm_statistics(observe_arms(pool, np.full(pool.n, k), seed=1), k) for k in range(len(trial.arms))]


def main(patients: int = 1000) -> None:
    """Print response and median PFS of each arm at both doses."""
    usual, higher = load_trial("cleopatra"), with_dose("docetaxel", "100 mg/m2 q3w")
    rows = zip(usual.arms, statistics(usual, patients), statistics(higher, patients), strict=True)
    for arm, at_75, at_100 in rows:
        print(arm.label)
        for dose, found in (("75", at_75), ("100", at_100)):
            orr, pfs = found["orr"], found["pfs"]
            print(
                f"  docetaxel {dose} mg/m2: ORR {100 * orr.value:.1f} %, median PFS {pfs.value:.1f} months "
                f"[{pfs.low:.1f}, {pfs.high:.1f}]"
            )
    print("Adverse events and what they do to the dose come from the record, by drug (docs: Toxicity).")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
