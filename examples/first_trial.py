"""Simulate CLEOPATRA from Python and read its results.

python examples/first_trial.py [PATIENTS]
"""

import sys

import her2


def main(patients: int = 1000) -> None:
    """Print medians, response rates and the hazard ratio beside the published figures."""
    result = her2.trial("cleopatra").simulate(patients=patients, trials=0, seed=1).as_json()
    for arm in result["arms"]:
        orr, pfs = arm["orr"], arm["median_pfs"]
        print(f"{arm['label']}: ORR {_shown(orr, 100, ' %')}; median PFS {_shown(pfs, 1, ' months')}")
    for contrast in result["contrasts"]:
        hr = contrast["hr"]
        print(f"HR {contrast['endpoint'].upper()}: {_shown(hr, 1, '', digits=2)}")
    print(f"failed patients: {len(result['failed_patients'])}; digest {result['digest']}")
    print(result["notice"])


def _shown(item: dict, factor: float, unit: str, digits: int = 1) -> str:
    """Predicted and published value of one statistic; a median that is not reached has no value."""
    value = "not reached" if item["value"] is None else f"{factor * item['value']:.{digits}f}{unit}"
    if item["published"] is None:
        return f"{value} (not printed in the reviews)"
    return f"{value} (published {factor * item['published']:.{digits}f}{unit}, {item['source']})"


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
