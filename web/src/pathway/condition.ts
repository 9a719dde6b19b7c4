/** A condition as the address holds it: cell, drugs, switches, ligands, surroundings, days. */

import { readPairs, writePairs } from "../pairs";
import type { AgentRow, Condition } from "../types";

export const WHERES: [string, string][] = [
  ["tumour", "tumour"],
  ["culture", "culture"],
  ["cns", "brain"],
];

/** Days until a condition is shown as adapted when none is said. */
export const ADAPTED = 28;

/** Days of the frames that are asked for: close at first, where most happens. */
export const FRAMES = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 7, 8.5, 10, 12, 14, 16, 18, 21, 24, 28];

export function readCondition(query: URLSearchParams, suffix: string): Condition {
  const part = (name: string): string => query.get(name + suffix) ?? "";
  const numbers = (text: string): Record<string, number> =>
    Object.fromEntries(Object.entries(readPairs(text)).filter((p): p is [string, number] => typeof p[1] === "number"));
  const drugs = Object.fromEntries(
    Object.entries(readPairs(part("drugs"))).map(([k, v]) => [k, typeof v === "number" && v >= 0 ? v : "clinical"]),
  );
  return {
    cell: part("cell") || "reference",
    drugs,
    switches: numbers(part("switches")),
    ligands: numbers(part("ligands")),
    where: WHERES.some(([w]) => w === part("where")) ? part("where") : "tumour",
  };
}

export function writeCondition(c: Condition, suffix: string): Record<string, string | null> {
  return {
    [`cell${suffix}`]: c.cell === "reference" ? null : c.cell,
    [`drugs${suffix}`]: writePairs(c.drugs ?? {}),
    [`switches${suffix}`]: writePairs(c.switches ?? {}),
    [`ligands${suffix}`]: writePairs(c.ligands ?? {}),
    [`where${suffix}`]: c.where === "tumour" ? null : (c.where ?? null),
  };
}

/** What is sent: drugs at dose 0 are not given, switches at 0 are off. */
export function asked(c: Condition, days: number): Condition {
  const some = <T>(x: Record<string, T> | undefined): Record<string, T> =>
    Object.fromEntries(Object.entries(x ?? {}).filter(([, v]) => v !== 0));
  return { cell: c.cell, drugs: some(c.drugs), switches: some(c.switches), ligands: c.ligands ?? {}, where: c.where ?? "tumour", days };
}

export function describe(c: Condition, agents: readonly AgentRow[] = [], cellName?: string): string {
  const name = (id: string): string => agents.find((a) => a.id === id)?.name ?? id;
  const drugs = Object.entries(c.drugs ?? {})
    .filter(([, d]) => d !== 0)
    .map(([id]) => name(id));
  const switches = Object.entries(c.switches ?? {})
    .filter(([, g]) => g !== 0)
    .map(([id]) => id);
  return [cellName ?? c.cell, drugs.length ? drugs.join(" + ") : "no drug", ...switches].join(", ");
}

/** Range of a dose slider about the clinical exposure, nmol/L. */
export function doseRange(clinical: number | null | undefined): [number, number] {
  const middle = clinical && clinical > 0 ? clinical : 100;
  return [middle / 1000, middle * 30];
}

/** Position 0 to 1 of a dose; 0 is no drug, the rest logarithmic. */
export function dosePosition(dose: number, range: readonly [number, number]): number {
  if (dose <= 0) return 0;
  const p = Math.log(dose / range[0]) / Math.log(range[1] / range[0]);
  return 0.04 + 0.96 * Math.min(Math.max(p, 0), 1);
}

export function doseAt(position: number, range: readonly [number, number]): number {
  if (position < 0.02) return 0;
  const p = Math.max((position - 0.04) / 0.96, 0);
  return Number((range[0] * (range[1] / range[0]) ** p).toPrecision(3));
}
