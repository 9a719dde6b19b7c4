"""The phenotype in the exported model: proliferation, death, kill by drugs and immune cells, number of cells."""

from __future__ import annotations

from her2.cell.respond import SURVIVAL_FLOOR
from her2.drugs import actions_of
from her2.evidence.schema import Action
from her2.export.cell_text.drugs import DrugText
from her2.export.cell_text.text import ModelText, identifier, times
from her2.export.reference import HOURS_PER_DAY, RELATIVE_FLOOR

SATURATING_HER2 = 0.95
"""1e6/cell of bound receptor at which the kill of a conjugate has the value of its parameter: full-length HER2 of the
reference cell, as in `her2.cell.respond.payload_kill`."""
FEWEST_LYMPHOCYTES = 1e-3
SMALLEST_RATIO = 1e-12
"""Guards against zero, as in `her2.cell.respond`."""


class PhenotypeText:
    """Writes rates and the number of cells."""

    def __init__(self, text: ModelText, drugs: DrugText) -> None:
        self.text, self.drugs = text, drugs

    def write(self) -> None:
        self.text.section("phenotype: rates, 1/day")
        v, cell, parameter = self.text.model.values, self.text.attribute, self.text.parameter
        growth = parameter("tumour.growth", "per_day")
        turnover = parameter("tumour.turnover")
        # a culture has rates of its own; the kills of a tumour are faster there in proportion
        place = "culture" if self.text.compartment == "culture" else "tumour"
        here = self.text.value(
            "growth_here",
            v[f"{place}.growth"],
            "per_day",
            "untreated reference cell",
            self.text.note(f"{place}.growth"),
        )
        loss = self.text.value(
            "turnover_here",
            v[f"{place}.turnover"],
            "dimensionless",
            "loss",
            self.text.note(f"{place}.turnover"),
        )
        speed = self.text.rule("speed", f"{here}*(1 + {loss})/({growth}*(1 + {turnover}))")
        cycle_reference = self.text.value(
            "cell_cycle_reference", self.text.model.proliferation_reference, "dimensionless", "reference cell"
        )
        death_reference = self.text.value(
            "apoptosis_reference", self.text.model.apoptosis_reference, "dimensionless", "reference cell"
        )
        free = cell("independent")
        mixed = f"(1 - {free})"
        at_rest = f"{free} + {mixed}*{self.text.untreated('cell_cycle')}/{cycle_reference}"
        er = cell("er")
        er_left = times(
            er, self.drugs.what_is_left("input", "er"), self.drugs.what_is_left("input", "estradiol")
        )
        lost = self.text.rule("er_lost", f"{er}/(1 + {er}) - {er_left}/(1 + {er_left})")
        outside = f"{free}*(1 - {parameter('tumour.er_drive')}*{lost})"
        self.text.rule("proliferation", f"{outside} + {mixed}*cell_cycle/{cycle_reference}")
        self.text.rule("proliferation_untreated", at_rest)
        self.text.rule("apoptosis", f"{mixed}*apoptosis_signal/{death_reference}")
        self.text.rule(
            "apoptosis_untreated", f"{mixed}*{self.text.untreated('apoptosis_signal')}/{death_reference}"
        )
        death = self.text.rule(
            "death",
            f"{parameter('tumour.apoptosis_kill', 'per_day')}*positive(apoptosis - apoptosis_untreated)"
            f" + {parameter('tumour.er_withdrawal_kill', 'per_day')}*{free}*{lost}",
            "per_day",
        )
        immune = self.write_immune()
        payload = self.write_payload()
        chemo = self.write_cytotoxics()
        smallest = self.text.value("smallest", SMALLEST_RATIO, "dimensionless", "guards a division by zero")
        vegf_left = self.text.rule(
            "vegf_relative", f"between(vegf/at_least({self.text.untreated('vegf')}, {smallest}), 0, 1)"
        )
        neutral = self.drugs.what_is_left("vegf")
        lost = "0" if neutral == "1" else f"(1 - {neutral})"
        supply = self.text.rule(
            "supply_lost",
            times(
                growth,
                f"(1 + {turnover})",
                "proliferation",
                parameter("angiogenesis.share"),
                lost,
                vegf_left,
                cell("vasculature"),
            ),
            "per_day",
        )
        drive = self.text.rule("drive", f"{here}*((1 + {loss})*proliferation - {loss})", "per_day")
        self.text.rule(
            "net_growth",
            f"{drive} - {speed}*({death} + {immune} + {payload} + {chemo} + {supply})",
            "per_day",
        )
        rate = self.text.value("days_per_hour", 1.0 / HOURS_PER_DAY, "day_per_hour", "1/day to 1/hour")
        self.text.state("ln_cells", "dimensionless", f"{rate}*net_growth")

    def write_immune(self) -> str:
        """Kill by effector cells and T cells, beyond that of T cells in the typical untreated tumour."""
        cell, parameter = self.text.attribute, self.text.parameter
        loads, weighted = [], []
        for agent in self.drugs.agents:
            for number, action in self.drugs.actions(agent):
                if action.on != "effector":
                    continue
                assert action.epitope is not None and action.weight is not None
                assert action.fc_v is not None and action.fc_f is not None
                name = f"{identifier(agent)}_{number}"
                weight = self.text.value(
                    f"fc_weight_{name}", action.weight, "dimensionless", note=self.drugs.action_note(action)
                )
                factors = [weight]
                if action.epitope == "pertuzumab":
                    factors.append(parameter("tumour.fc_weight_pertuzumab"))
                share = self.drugs.bound.get((agent, action.epitope), "0")
                load = self.text.rule(
                    f"fc_load_{name}", times("surface_full", f"({share})", *factors), "million"
                )
                loads.append(load)
                weighted.append(f"{load}*{self.write_affinity(name, action.fc_v, action.fc_f)}")
        in_cns = self.text.compartment == "cns"
        site = self.text.value(
            "effector_site",
            self.text.model.values["cns.effector_factor"] if in_cns else 1.0,
            "dimensionless",
            "immune cells here relative to a tumour outside the brain",
        )
        brakes = [
            f"(1 - {times(parameter(f'immune.{k}'), cell(k), self.drugs.what_is_left('checkpoint', k))})"
            for k in ("pdl1", "ctla4")
        ]
        active = self.text.rule("t_cells_active", times(cell("til"), *brakes))
        # growth without drugs already holds the T-cell kill of the typical tumour
        usual = self.text.value(
            "t_cells_usual",
            0.0 if self.text.compartment == "culture" else 1.0,
            "dimensionless",
            "in the typical tumour",
        )
        alone = f"{parameter('immune.tcell_kill', 'per_day')}*{site}*({active} - {usual})"
        if not loads:
            return self.text.rule("immune_kill", alone, "per_day")
        alleles = (
            f"exp({parameter('immune.fcgr2a')}*({cell('fcgr2a_h')} - 1) + "
            f"{parameter('immune.fcgr2b')}*{cell('fcgr2b_t')})"
        )
        whole = self.text.rule(
            "immune_whole",
            f"{parameter('tumour.effector_kill', 'per_day')}*{cell('effector')}*({' + '.join(weighted)})"
            f"/({' + '.join(loads)} + {parameter('tumour.fc_half', 'million')})*{alleles}*{site}",
            "per_day",
        )
        enriched = f"(1 + {parameter('immune.signature')}*{cell('immune_signature')})"
        share = parameter("immune.tcell_share")
        return self.text.rule(
            "immune_kill", f"{whole}*(1 - {share} + {share}*{active}*{enriched}) + {alone}", "per_day"
        )

    def write_affinity(self, name: str, fc_v: float, fc_f: float) -> str:
        """Kill relative to trastuzumab in a V/F heterozygote; see `her2.cell.respond.fc_affinity_factor`."""
        v = self.text.value(f"fc_v_{name}", fc_v, "dimensionless", "affinity of the V allele")
        f = self.text.value(f"fc_f_{name}", fc_f, "dimensionless", "affinity of the F allele")
        reference = next(a for a in actions_of(self.text.model.agent("trastuzumab")) if a.on == "effector")
        assert reference.fc_v is not None and reference.fc_f is not None
        ref_v = self.text.value("fc_v_reference", reference.fc_v, "dimensionless", "trastuzumab, V allele")
        ref_f = self.text.value("fc_f_reference", reference.fc_f, "dimensionless", "trastuzumab, F allele")
        vv, ff = self.text.parameter("population.effector_vv"), self.text.parameter("population.effector_ff")
        alleles = self.text.attribute("fcgr3a_v")
        both = f"({alleles}*ln({v}/{ref_v}) + (2 - {alleles})*ln({f}/{ref_v}))/2"
        log_affinity = self.text.rule(f"fc_log_affinity_{name}", both)
        half_step = f"ln({ref_f}/{ref_v})/2"
        x = self.text.rule(
            f"fc_steps_{name}", f"piecewise({log_affinity}, {log_affinity} < 0, 0)/({half_step}) - 1"
        )
        power = f"piecewise(-ln({vv}), {x} < 0, ln({ff}))*{x}"
        gain = self.text.parameter("immune.fc_gain")
        excess = self.text.rule(f"fc_excess_{name}", f"exp(positive({log_affinity})) - 1")
        return self.text.rule(f"fc_affinity_{name}", f"exp({power})*(1 + {gain}*{excess}/(1 + {excess}))")

    def write_payload(self) -> str:
        parameter = self.text.parameter
        terms = []
        for agent in self.drugs.agents:
            for number, action in self.drugs.actions(agent):
                if action.on != "payload":
                    continue
                assert action.epitope is not None and action.parameter is not None
                n = parameter("payload.uptake_exponent")
                half = parameter("payload.half_bound", "million")
                full = self.text.value(
                    "saturating_her2", SATURATING_HER2, "million", "bound HER2 of the reference cell"
                )
                share = self.drugs.bound.get((agent, action.epitope), "0")
                efflux = self.efflux(agent, number, action)
                kill = parameter(action.parameter, "per_day")
                bound = f"(held_her2 + held_delta16)*({share})"
                terms.append(f"{kill}*uptake({bound}, {n}, {half})/uptake({full}, {n}, {half})*{efflux}")
        return self.text.rule("payload_kill", " + ".join(terms), "per_day") if terms else "0"

    def efflux(self, agent: str, number: int, action: Action) -> str:
        """Kill that drug efflux leaves."""
        exponent = self.text.value(
            f"mdr_exponent_{identifier(agent)}_{number}", action.mdr_exponent or 0.0, "dimensionless"
        )
        return f"{self.text.parameter('tumour.mdr_factor')}^({self.text.attribute('mdr')}*{exponent})"

    def write_cytotoxics(self) -> str:
        cell, parameter = self.text.attribute, self.text.parameter
        terms = []
        for agent in self.drugs.agents:
            for number, action in self.drugs.actions(agent):
                if action.on != "cytotoxic":
                    continue
                assert action.parameter is not None
                ratio = self.drugs.ratio(agent, number, action)
                kill = parameter(action.parameter, "per_day")
                # the parameter is the kill at the label exposure, where the ratio is 1
                terms.append(f"{kill}*2*{ratio}/(1 + {ratio})*{self.efflux(agent, number, action)}")
        if not terms:
            return "0"
        fewest = self.text.value(
            "fewest_til", FEWEST_LYMPHOCYTES, "dimensionless", "below it lymphocytes count as this many"
        )
        lymphocytes = self.text.rule(
            "til_factor",
            f"piecewise(at_least({cell('til')}, {fewest})^{parameter('immune.til_chemotherapy')}, "
            f"{cell('til')} > 0, 1)",
        )
        akt = self.text.untreated("akt")
        tiny = self.text.value("survival_floor", SURVIVAL_FLOOR, "dimensionless", "guards a division by zero")
        lost = self.text.rule("survival_lost", f"positive({akt} - akt)/({akt} + {tiny})")
        synergy = f"{parameter('tumour.chemo_synergy')}*(1 - {cell('independent')})*{lost}"
        low = self.text.value(
            "relative_floor", RELATIVE_FLOOR, "dimensionless", "smallest relative proliferation"
        )
        smallest = self.text.value("smallest", SMALLEST_RATIO, "dimensionless", "guards a division by zero")
        cycling = f"between(proliferation/at_least(proliferation_untreated, {smallest}), {low}, 1)"
        factor = self.text.rule(
            "chemo_factor", f"(1 + {synergy})*{cycling}^{parameter('tumour.chemo_cycle_exponent')}"
        )
        return self.text.rule("cytotoxic_kill", f"({' + '.join(terms)})*{lymphocytes}*{factor}", "per_day")
