"""One patient resolved into the numbers of the full model: genotypes, sites, clones, drugs, start.

Both forms of the full model, the Antimony text and the Python reference, read their numbers here; the
equations are written twice on purpose, so that each checks the other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.kernel import MAX_LOG_BURDEN
from her2.engine.layout import Attribute
from her2.errors import RecordError, unknown
from her2.model import Model, signals
from her2.patients.sample import Cohort
from her2.signalling.receptors import association_constants, dimer_amounts, free_monomers

Array = NDArray[np.float64]

SITES = ("systemic", "cns")
_INPUT_ROWS = {
    "igf1r": Attribute.BYPASS,
    "pik3ca": Attribute.PIK3CA,
    "pten": Attribute.PTEN,
    "er": Attribute.ER,
    "cyclin_e": Attribute.CYCLIN_E,
    "bim_level": Attribute.BIM,
}
_RECRUITMENT = 2
"""The first two network inputs come from the receptor layer."""


@dataclass(frozen=True)
class Individual:
    """Everything the full model needs to know about one patient.

    Attributes
    ----------
    sites : `systemic`, and `cns` if the patient has CNS seeds at the start
    genotypes, clones, antibodies, cytotoxics : names in order
    genotype_of : (clones,) index of each clone's genotype
    totals : (receptors, genotypes), 1e6 receptors/cell, before down-regulation and adaptation
    ligands : (ligands,), relative
    inputs : (network inputs, genotypes), levels; the two recruitments are 0
    antibody_pk : (antibodies, 6) clearance, Vc, Q, Vp, Vmax, Km in L/day, L, mg/day, mg/L
    kd : (antibodies,), mg/L of interstitial antibody at half occupancy
    partition : (sites,) antibody beside the tumour cells relative to plasma
    fc_weight : (antibodies,)
    effector_kill : (sites,), 1/day, the patient's effector level included
    effect_rise : (cytotoxics,), 1/mg, relative to the reference exposure
    effect_decay : (cytotoxics,), 1/day
    kill : (cytotoxics,), 1/day at the reference exposure, the patient's sensitivity included
    kill_share : (cytotoxics, clones, sites) kill left by multidrug resistance and partition
    cost : (clones,)
    effector_share : (clones,) antibody-dependent kill left
    growth : 1/day
    independent : share of drive outside the network
    start, floor : (clones, sites), ln cells
    ceiling : ln cells
    untreated : (inputs and nodes, genotypes) network values without treatment
    receptors_untreated : (receptors + dimers, genotypes), free monomers and dimers without treatment
    """

    sites: tuple[str, ...]
    genotypes: tuple[str, ...]
    clones: tuple[str, ...]
    antibodies: tuple[str, ...]
    cytotoxics: tuple[str, ...]
    genotype_of: NDArray[np.int64]
    totals: Array
    ligands: Array
    inputs: Array
    antibody_pk: Array
    kd: Array
    partition: Array
    fc_weight: Array
    effector_kill: Array
    effect_rise: Array
    effect_decay: Array
    kill: Array
    kill_share: Array
    cost: Array
    effector_share: Array
    growth: float
    independent: float
    start: Array
    floor: Array
    ceiling: float
    untreated: Array
    receptors_untreated: Array

    def giving(self, drugs: Collection[str]) -> Individual:
        """The same patient with only these cytotoxics in the model; antibodies always stay."""
        keep = [k for k, name in enumerate(self.cytotoxics) if name in drugs]
        return replace(
            self,
            cytotoxics=tuple(self.cytotoxics[k] for k in keep),
            effect_rise=self.effect_rise[keep],
            effect_decay=self.effect_decay[keep],
            kill=self.kill[keep],
            kill_share=self.kill_share[keep],
        )


def resolve(model: Model, patient: Cohort) -> Individual:
    """Numbers of the full model for a cohort of exactly one patient.

    Raises
    ------
    ValueError
        If the cohort does not hold exactly one patient.
    her2.errors.UnknownNameError, her2.errors.RecordError
        If the network or the receptor layer has parts that no patient attribute feeds.
    """
    if patient.n != 1:
        raise ValueError(f"the full model is of one patient, got {patient.n}; use cohort.take(np.array([i]))")
    layer, network, constants, clones = model.receptors, model.network, model.constants, model.clones
    if layer.species != ("egfr", "her2", "her3", "p95her2") or layer.ligands != ("egf", "heregulin"):
        raise RecordError(
            "network/receptors.yaml: the full model knows the receptors egfr, her2, her3, p95her2 and the "
            f"ligands egf, heregulin; got {', '.join(layer.species + layer.ligands)}"
        )
    a = patient.attributes[:, 0]
    share = np.maximum(a[Attribute.P95_SHARE], clones.p95_share)
    her2 = a[Attribute.HER2] * clones.her2_factor
    n_genotypes = her2.size
    totals = np.stack(
        [
            a[Attribute.EGFR] * clones.egfr_factor,
            her2 * (1.0 - share),
            np.full(n_genotypes, a[Attribute.HER3]),
            her2 * share,
        ]
    )
    ligands = a[[Attribute.EGF, Attribute.HEREGULIN]]
    inputs = np.zeros((network.n_inputs, n_genotypes))
    for row, name in enumerate(network.names[_RECRUITMENT : network.n_inputs], start=_RECRUITMENT):
        if name not in _INPUT_ROWS:
            raise unknown("network input", name, _INPUT_ROWS, "network/pathway.yaml")
        inputs[row] = a[_INPUT_ROWS[name]]
        if name == "igf1r":
            inputs[row] += clones.bypass_added
        elif name == "pik3ca":
            inputs[row] = np.maximum(inputs[row], clones.pik3ca_added)
        elif name == "pten":
            inputs[row] *= clones.pten_factor

    seeded = a[Attribute.CNS_SEED] > 0.0
    start, floor = _start(model, a, seeded)
    n_sites = start.shape[1]
    drugs = model.drugs
    toxic = [model.drug_index(c.id) for c in model.cytotoxics]
    mdr = drugs.mdr_exponent[toxic]
    kill_share = np.where(clones.mdr[None, :] > 0.0, constants.mdr_factor ** mdr[:, None], 1.0)
    local = np.stack([np.ones(len(toxic)), drugs.cns_partition[toxic]], axis=1)[:, :n_sites]
    untreated, monomers_and_dimers = _untreated(model, totals, ligands, inputs)
    return Individual(
        sites=SITES[:n_sites],
        genotypes=model.genotype_names,
        clones=model.clone_names,
        antibodies=layer.antibodies,
        cytotoxics=tuple(c.id for c in model.cytotoxics),
        genotype_of=clones.genotype,
        totals=totals,
        ligands=ligands,
        inputs=inputs,
        antibody_pk=patient.pk[[model.drug_index(x) for x in layer.antibodies], :, 0],
        kd=np.array([model.kd(x) for x in layer.antibodies]),
        partition=model.values["distribution.tumour_partition"]
        * np.array([1.0, model.values["cns.antibody_partition"]])[:n_sites],
        fc_weight=np.array([1.0, constants.fc_weight_pertuzumab]),
        effector_kill=constants.effector_kill
        * a[Attribute.EFFECTOR]
        * np.array([1.0, constants.cns_effector])[:n_sites],
        effect_rise=patient.site_scale[toxic, 0],
        effect_decay=drugs.ke0[toxic],
        kill=drugs.kill[toxic] * patient.sensitivity[toxic, 0],
        kill_share=kill_share[:, :, None] * local[:, None, :],
        cost=clones.cost,
        effector_share=clones.effector_factor,
        growth=float(a[Attribute.GROWTH]),
        independent=float(a[Attribute.INDEPENDENT]),
        start=start,
        floor=floor,
        ceiling=MAX_LOG_BURDEN,
        untreated=untreated,
        receptors_untreated=monomers_and_dimers,
    )


def _start(model: Model, a: Array, seeded: bool) -> tuple[Array, Array]:
    """ln cells of every clone and site at the start, and the size below which it cannot fall."""
    c = model.constants
    n_clones = len(model.clone_names)
    fraction = a[int(Attribute.CLONE_FRACTION) : int(Attribute.CLONE_FRACTION) + n_clones - 1]
    truncal = np.log(max(1.0 - np.exp(fraction).sum(), 1e-6))
    composition = np.concatenate([[truncal], fraction])
    systemic = a[Attribute.LOG_BURDEN] + composition
    # a small resistant clone comes back by mutation: it cannot fall below a share of its size at the start
    floors = [np.maximum(c.log_floor, systemic + c.replenish)]
    starts = [np.maximum(systemic, floors[0])]
    if seeded:
        starts.append(np.maximum(composition + a[Attribute.CNS_SEED], c.log_floor))
        floors.append(np.full(n_clones, c.log_floor))
    return np.stack(starts, axis=1), np.stack(floors, axis=1)


def _untreated(model: Model, totals: Array, ligands: Array, inputs: Array) -> tuple[Array, Array]:
    """Network values and receptors (free monomers, dimers) of every genotype without drugs."""
    layer, network = model.receptors, model.network
    n = totals.shape[1]
    free_of_drug = np.zeros((len(layer.antibodies), n))
    spread = np.repeat(ligands[:, None], n, axis=1)
    found = signals(
        layer,
        network,
        totals,
        spread,
        free_of_drug,
        {name: inputs[k] for k, name in enumerate(network.names[: network.n_inputs]) if k >= _RECRUITMENT},
    )
    association = association_constants(layer, spread, free_of_drug)
    monomers = free_monomers(layer, totals, association)
    dimers = dimer_amounts(layer, monomers, association)
    return np.stack([found[name] for name in network.names]), np.concatenate([monomers, dimers])
