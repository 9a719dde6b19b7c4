"""Time-to-event statistics on plain arrays: Kaplan-Meier, log-rank, Cox, restricted means.

`her2.survival` knows time and event only; it works on any trial's data.

    python examples/survival_statistics.py [PATIENTS PER ARM]
"""

import sys

import numpy as np

from her2.survival import compare_rmst, fit_cox, kaplan_meier, log_rank


def main(patients: int = 200) -> None:
    """Print the statistics of two exponential arms with administrative censoring at 24 months."""
    rng = np.random.default_rng(7)
    arm = np.repeat([False, True], patients)
    latent = rng.exponential(np.where(arm, 18.0, 12.0) / np.log(2.0))
    time, event = np.minimum(latent, 24.0), latent <= 24.0
    for name, inside in (("control", ~arm), ("experimental", arm)):
        curve = kaplan_meier(time[inside], event[inside])
        median = curve.quantile(0.5)
        print(f"{name}: median {median.time[0]:.1f} months [{median.lower[0]:.1f}, {median.upper[0]:.1f}]")
    cox = fit_cox(time, event, arm.astype(float))
    print(f"hazard ratio {cox.hazard_ratio[0]:.2f} [{cox.lower[0]:.2f}, {cox.upper[0]:.2f}] (true 0.67)")
    print(f"log-rank p {log_rank(time, event, arm).p:.2g}")
    rmst = compare_rmst(time, event, arm, tau=24.0)
    print(
        f"difference of restricted means to 24 months {rmst.difference:.1f} "
        f"[{rmst.difference_lower:.1f}, {rmst.difference_upper:.1f}] months"
    )


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
