"""Cell lines under drugs: dose-response, a switch that makes resistance, and two drugs together.

python examples/cell_line.py [members of the ensemble]
"""

import sys
from pathlib import Path

import her2
from her2.cell.combination import combine


def main() -> None:
    """Print GR metrics of lapatinib in three cells, the effect of PTEN loss, and the excess of a pair of drugs."""
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    own = her2.cell(str(Path(__file__).with_name("own_cell.yaml")))
    for cell in (her2.cell("BT474"), her2.cell("MDA-MB-231"), own):
        metrics = cell.gr_metrics("lapatinib", members=members)
        print(f"{cell.name}: GR50 {metrics.gr50.value:.3g} nmol/L, GRmax {metrics.gr_max.value:.2f}")
    line = her2.cell("BT474")
    for name, cell in (("intact", line), ("PTEN lost", line.with_switches({"pten-loss": 1.0}))):
        table = cell.respond({"trastuzumab": "clinical"}, members=members)
        growth = dict(zip(table["readout"], table["treated"], strict=True))["growth_inhibition"]
        print(f"{line.name}, {name}: trastuzumab inhibits growth by {100 * growth:.0f} %")
    pair = combine(line, "trastuzumab", "lapatinib", members=members)
    print(f"trastuzumab with lapatinib: mean Bliss excess {pair.mean_bliss_excess().value:+.3f}")


if __name__ == "__main__":
    main()
