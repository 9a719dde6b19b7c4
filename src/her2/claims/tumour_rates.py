"""Net growth of every clone of every patient under a set of drugs, from the cell model, at mean exposure.

    rate = growth ((1 + turnover) cost proliferation - turnover) - apoptotic kill - effector kill - T-cell kill
           - sensitivity payload kill - angiogenic loss - sum over cytotoxics of sensitivity tolerance kill

as in the population kernel, with each patient's own growth and sensitivity. Signals adapt to a drug over weeks; they
are evaluated on the day of the first dose, after two and after ten weeks, and rates run straight between these days and
stay as they are afterwards. Against steps of one day this is right to 0.1 in the log of the burden after half a year.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment, catalogue
from her2.cell.condition import Columns, Dose, active_concentration
from her2.cell.effects import Effects, drug_effects
from her2.cell.model import CellModel
from her2.cell.respond import REFERENCE_IGF1R, cytotoxic_kill, payload_kill, rates, signals
from her2.claims.patients import Patients
from her2.drugs import CLASS_OF, actions_of
from her2.errors import Her2Error
from her2.evidence.load import load_network
from her2.evidence.schema import Action

Array = NDArray[np.float64]
NODES = (0.0, 14.0, 70.0)
"""Days on which the signals are evaluated."""
SIGNALS = ("cell_cycle", "apoptosis_signal", "akt", "vegf", "surface_her2", "delta16")
"""What rates depend on."""
ON_SIGNALS = ("epitope", "kinase", "node", "input", "level", "shedding")
"""Kinds of action that change signals; all others act on rates only."""


@dataclass(frozen=True)
class Clones:
    """Clones of clones.yaml as arrays, each (clones,) unless said.

    Attributes
    ----------
    genotypes : changes of the patient's own genotype
    genotype : position of each clone's genotype
    cost : factor on proliferation
    mdr : 1 with drug efflux
    her2_low : position of the clone that has lost HER2
    effector_factor : share of antibody-dependent kill left
    """

    genotypes: tuple[Mapping[str, float], ...]
    genotype: NDArray[np.int64]
    cost: Array
    mdr: Array
    her2_low: int
    effector_factor: Array


def load_clones() -> Clones:
    """The clones of the record."""
    record = load_network("clones")
    names = [g["id"] for g in record["genotypes"]]
    changes = tuple(
        {k: float(v) for k, v in g.items() if isinstance(v, (int, float))} for g in record["genotypes"]
    )
    clones = record["clones"]
    return Clones(
        genotypes=changes,
        genotype=np.array([names.index(c["genotype"]) for c in clones], dtype=np.int64),
        cost=np.array([float(c["cost"]) for c in clones]),
        mdr=np.array([float(bool(c["mdr"])) for c in clones]),
        her2_low=[c["id"] for c in clones].index("her2_low"),
        effector_factor=np.array([float(c.get("effector_factor", 1.0)) for c in clones]),
    )


@dataclass(frozen=True)
class ArmRates:
    """Rates of every clone under one set of drugs in one compartment.

    Attributes
    ----------
    lasting : (nodes, clones, patients) 1/day, net growth without the cytotoxics and antibody-dependent kill
    effector : (nodes, clones, patients) 1/day, antibody-dependent kill before tolerance
    cytotoxic : (nodes, clones, patients) 1/day, kill by cytotoxics before tolerance from earlier lines
    untreated : (clones, patients) 1/day, net growth without any drug
    has_cytotoxic : whether the set has a cytotoxic
    has_antibody : whether it has an antibody that brings effector cells
    """

    lasting: Array
    effector: Array
    cytotoxic: Array
    untreated: Array
    has_cytotoxic: bool
    has_antibody: bool


def genotype_attributes(patients: Patients, clones: Clones) -> dict[str, Array]:
    """Attributes of every genotype of every patient, each (genotypes * patients,), genotypes first."""
    bypass = patients.values["population.bypass_median"]
    rows: dict[str, list[Array]] = {k: [] for k in patients.attributes}
    for change in clones.genotypes:
        own = dict(patients.attributes)
        own["her2"] = own["her2"] * change.get("her2_factor", 1.0)
        own["egfr"] = own["egfr"] * change.get("egfr_factor", 1.0)
        own["igf1r"] = own["igf1r"] + REFERENCE_IGF1R * change.get("bypass_added", 0.0) / bypass
        own["pten"] = own["pten"] * change.get("pten_factor", 1.0)
        own["pik3ca"] = np.maximum(own["pik3ca"], change.get("pik3ca_added", 0.0))
        own["p95_share"] = np.maximum(own["p95_share"], change.get("p95_share", 0.0))
        for name, x in own.items():
            rows[name].append(x)
    limits = catalogue()
    return {k: np.clip(np.concatenate(x), limits[k].low, limits[k].high) for k, x in rows.items()}


class RateTable:
    """Rates of one cohort in one model, each set of drugs computed once.

    Drugs that act on rates only (cytotoxics, payloads, effector cells, checkpoints, VEGF) share the signals of the
    others with which they are given.
    """

    def __init__(
        self,
        model: CellModel,
        patients: Patients,
        clones: Clones,
        disabled: frozenset[tuple[str, str, str]] = frozenset(),
    ) -> None:
        self.model, self.patients, self.clones, self.disabled = model, patients, clones, disabled
        self._attributes = genotype_attributes(patients, clones)
        self._signals: dict[object, list[Mapping[str, Array]]] = {}
        self._rates: dict[object, ArmRates] = {}
        self._rest: Mapping[str, Array] | None = None
        self._untreated: Array | None = None

    def rates(self, drugs: Mapping[str, tuple[Dose, float]], compartment: Compartment) -> ArmRates:
        """Rates under drugs, given as dose and factor on it by agent."""
        key = (tuple(sorted(drugs.items())), compartment)
        if key not in self._rates:
            self._rates[key] = self._compute(drugs, compartment)
        return self._rates[key]

    def _columns(self, drugs: Mapping[str, tuple[Dose, float]], compartment: Compartment) -> Columns:
        n = self.patients.n * len(self.clones.genotypes)
        concentrations = {}
        for name, (dose, factor) in sorted(drugs.items()):
            agent = self.model.agent(name)
            level = active_concentration(agent, dose, compartment, self.model.values)
            concentrations[name] = np.full(n, factor * level)
        return Columns(self._attributes, concentrations, (compartment,) * n, self.disabled)

    def _nodes(
        self, drugs: Mapping[str, tuple[Dose, float]], columns: Columns, effects: Effects
    ) -> list[Mapping[str, Array]]:
        """Signals on the days of `NODES`."""
        acting = {
            k: v for k, v in drugs.items() if any(a.on in ON_SIGNALS for a in actions_of(self.model.agent(k)))
        }
        key = (tuple(sorted(acting.items())), columns.compartments[0] if acting else "")
        if key not in self._signals:
            self._signals[key] = self._adapt(columns, effects) if acting else [self.rest] * len(NODES)
        return self._signals[key]

    @property
    def rest(self) -> Mapping[str, Array]:
        """Signals of the untreated cells, with the drivers of adaptation."""
        if self._rest is None:
            columns = self._columns({}, "tumour")
            none = np.zeros((len(self.model.network.slow), columns.size))
            self._rest = self._kept(signals(self.model, columns, drug_effects(self.model, columns), none))
        return self._rest

    def _kept(self, values: Mapping[str, Array]) -> Mapping[str, Array]:
        if not float(values["residual"].max()) <= 1e-8:
            raise Her2Error(
                "receptor binding did not converge in a virtual patient; check its receptor levels"
            )
        names = {*SIGNALS, *self._drivers()}
        return {k: values[k] for k in names}

    def _drivers(self) -> list[str]:
        """Readout that drives each slow state."""
        names = (self.model.network.names[s.driver] for s in self.model.network.slow)
        return ["apoptosis_signal" if n == "apoptosis" else n for n in names]

    def _adapt(self, columns: Columns, effects: Effects) -> list[Mapping[str, Array]]:
        states = self.model.network.slow
        slow = np.zeros((len(states), columns.size))
        result = [self._kept(signals(self.model, columns, effects, slow))]
        for start, end in itertools.pairwise(NODES):
            for k, (state, driver) in enumerate(zip(states, self._drivers(), strict=True)):
                drive = np.maximum(state.sign * (result[-1][driver] - self.rest[driver]), 0.0)
                slow[k] = drive + (slow[k] - drive) * np.exp(-(end - start) / state.time_constant_d)
            result.append(self._kept(signals(self.model, columns, effects, slow)))
        return result

    def _compute(self, drugs: Mapping[str, tuple[Dose, float]], compartment: Compartment) -> ArmRates:
        columns = self._columns(drugs, compartment)
        effects = drug_effects(self.model, columns)
        given = [self._one(columns, effects, now) for now in self._nodes(drugs, columns, effects)]
        if self._untreated is None:
            bare = columns.without_drugs()
            lasting, effector, _ = self._one(bare, drug_effects(self.model, bare), self.rest)
            self._untreated = lasting - effector
        return ArmRates(
            lasting=np.stack([lasting for lasting, _, _ in given]),
            effector=np.stack([effector for _, effector, _ in given]),
            cytotoxic=np.stack([chemo for _, _, chemo in given]),
            untreated=self._untreated,
            has_cytotoxic=any(
                a.on == "cytotoxic" for name in drugs for a in actions_of(self.model.agent(name))
            ),
            has_antibody=any(
                a.on == "effector" for name in drugs for a in actions_of(self.model.agent(name))
            ),
        )

    def _by_clone(self, x: Array) -> Array:
        """(genotypes * patients,) to (clones, patients)."""
        return x.reshape(len(self.clones.genotypes), self.patients.n)[self.clones.genotype]

    def _one(
        self, columns: Columns, effects: Effects, now: Mapping[str, Array]
    ) -> tuple[Array, Array, Array]:
        """Net growth without cytotoxics and antibody-dependent kill, that kill, and kill by cytotoxics.

        Each (clones, patients), 1/day. T cells that no antibody engages are part of the growth of the tumour.
        """
        v, p = self.model.values, self.patients
        r = {k: self._by_clone(x) for k, x in rates(self.model, columns, effects, now, self.rest).items()}
        relative = p.growth / v["tumour.growth"]
        turnover = v["tumour.turnover"]
        net = p.growth * ((1.0 + turnover) * self.clones.cost[:, None] * r["proliferation"] - turnover)
        net = net - r["apoptotic_kill"] - relative * r["angiogenic_loss"]
        effector = self.clones.effector_factor[:, None] * (r["effector_kill"] + r["tcell_kill"])
        for name, action in self._killing(columns, "payload"):
            alone = replace(columns, concentrations={name: columns.concentrations[name]})
            kill = self._by_clone(payload_kill(self.model, alone, effects, now))
            net = net - kill * self._factor(action)
        chemo = np.zeros_like(net)
        every = cytotoxic_kill(self.model, columns)
        if np.any(every > 0.0):
            # what signals do to a cytotoxic is the same for all of them
            modified = r["cytotoxic_kill"] / np.maximum(self._by_clone(every), 1e-300)
            for name, action in self._killing(columns, "cytotoxic"):
                alone = replace(columns, concentrations={name: columns.concentrations[name]})
                kill = self._by_clone(cytotoxic_kill(self.model, alone)) * modified
                chemo = chemo + kill * self._factor(action)
        return net, effector, chemo

    def _killing(self, columns: Columns, kind: str) -> list[tuple[str, Action]]:
        """Agents given with their action of a kind."""
        given = [(name, actions_of(self.model.agent(name))) for name in columns.concentrations]
        return [
            (name, next(a for a in acts if a.on == kind))
            for name, acts in given
            if any(a.on == kind for a in acts)
        ]

    def _factor(self, action: Action) -> Array:
        """Sensitivity of the patient and drug efflux of the clone, (clones, patients)."""
        p = self.patients
        own = p.attributes["mdr"]
        efflux = np.maximum(self.clones.mdr[:, None] - own, 0.0) * (action.mdr_exponent or 0.0)
        sensitivity = p.sensitivity[CLASS_OF[action.parameter or ""]]
        return np.asarray(sensitivity * self.model.values["tumour.mdr_factor"] ** efflux)


def node_weights(times: Sequence[float]) -> Array:
    """Integral of each node's weight up to each time, (times, nodes), day; rates run straight between nodes."""
    days = np.arange(0.0, max(times[-1], NODES[-1]) + 1.0)
    hats = np.stack([np.interp(days, NODES, np.eye(len(NODES))[k]) for k in range(len(NODES))], axis=1)
    integral = np.concatenate((np.zeros((1, len(NODES))), np.cumsum(0.5 * (hats[1:] + hats[:-1]), axis=0)))
    return integral[np.asarray(times, dtype=np.int64)]
