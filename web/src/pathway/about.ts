/** What the layout says of a box, an arrow, a slow state or a drug. */

import type { NetworkLayout, StateItem } from "../types";
import { boxSize } from "./compact";

export function labelOf(layout: NetworkLayout, id: string): string {
  return layout.boxes.find((b) => b.id === id)?.label ?? layout.drugs.find((d) => d.id === id)?.label ?? id;
}

export function headingOf(layout: NetworkLayout, id: string): string {
  const loop = layout.loops.find((l) => l.id === id);
  if (loop) return loop.label;
  const link = layout.links.find((l) => l.id === id);
  if (link) return `${labelOf(layout, link.source)} ${link.sign > 0 ? "activates" : "inhibits"} ${labelOf(layout, link.target)}`;
  return boxSize(labelOf(layout, id)).lines.join(" ");
}

/** Claims of an arrow or slow state, of a box, of a drug's actions, or of the arrows that lead to a box. */
export function claimsOf(layout: NetworkLayout, id: string): string[] {
  const arrow = layout.links.find((l) => l.id === id) ?? layout.loops.find((l) => l.id === id);
  if (arrow) return arrow.claims;
  const own = layout.boxes.find((b) => b.id === id)?.claims ?? [];
  const drug = layout.drugs.find((d) => d.id === id)?.targets.flatMap((t) => t.claims ?? []) ?? [];
  const acting = layout.links.filter((l) => l.target === id).flatMap((l) => l.claims);
  return [...new Set([...own, ...drug, ...acting])];
}

/** The unit behind a value as `valueText` writes it, which has some of them already. */
export function unitText(unit: string): string {
  if (unit === "1e6/cell") return "million/cell";
  return unit === "1" ? "of 1" : unit === "1/day" || unit.startsWith("nmol") ? "" : unit;
}

/** Whether a value is compared with an untreated one. */
export function hasUntreated(id: string): boolean {
  return !id.startsWith("drug:") && !id.startsWith("ligand:");
}

/** Boxes that differ most between two conditions, largest first, by the given measure of a difference. */
export function mostApart(
  a: Readonly<Record<string, StateItem>>,
  b: Readonly<Record<string, StateItem>>,
  n: number,
  measure: (item: StateItem) => number,
): string[] {
  const apart = (id: string): number => {
    const [x, y] = [a[id], b[id]];
    return x && y ? Math.abs(measure({ ...x, untreated: y.value })) : 0;
  };
  return Object.keys(a)
    .filter((id) => hasUntreated(id) && apart(id) > 0.02)
    .sort((p, q) => apart(q) - apart(p))
    .slice(0, n);
}
