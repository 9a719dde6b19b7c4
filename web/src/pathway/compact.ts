/** The layout made narrow enough to read: long names on two lines, rows closed up, the order of the server kept. */

import type { LayoutBox, LayoutDrug, LayoutLink, NetworkLayout } from "../types";

const LETTER = 7.3;
const GAP = 9;
const LEAST = 54;
/** Boxes of the phenotype hold a rate with its unit. */
const RATE_WIDTH = 86;
const WAY = 5;
/** From the middle of a row to the middle of the next. */
const PITCH = 68;
const TOP = 26;

/** A name on one or two lines, cut where the longer line is shortest. */
export function lines(label: string, most = 9): string[] {
  if (label.length <= most) return [label];
  let best: string[] = [label];
  for (let i = 1; i < label.length; i += 1) {
    const before = label[i - 1];
    if (before !== " " && before !== ":" && before !== "-") continue;
    const parts = [label.slice(0, i).trimEnd(), label.slice(i)];
    if (Math.max(...parts.map((p) => p.length)) < Math.max(...best.map((p) => p.length))) best = parts;
  }
  return best;
}

export function boxSize(label: string, least = LEAST): { width: number; height: number; lines: string[] } {
  const parts = lines(label);
  return { width: Math.max(least, LETTER * Math.max(...parts.map((p) => p.length)) + 12), height: parts.length > 1 ? 43 : 32, lines: parts };
}

/** Positions nearest to the wanted ones that keep their order and the distances between neighbours (isotonic regression). */
export function apart(wanted: readonly number[], distances: readonly number[]): number[] {
  const offset = [0];
  for (const d of distances) offset.push((offset[offset.length - 1] ?? 0) + d);
  const blocks: { sum: number; n: number }[] = [];
  wanted.forEach((w, i) => {
    blocks.push({ sum: w - (offset[i] ?? 0), n: 1 });
    while (blocks.length > 1) {
      const b = blocks[blocks.length - 1] as { sum: number; n: number };
      const a = blocks[blocks.length - 2] as { sum: number; n: number };
      if (a.sum / a.n <= b.sum / b.n) break;
      blocks.splice(-2, 2, { sum: a.sum + b.sum, n: a.n + b.n });
    }
  });
  const out: number[] = [];
  for (const b of blocks) for (let k = 0; k < b.n; k += 1) out.push(b.sum / b.n + (offset[out.length] ?? 0));
  return out;
}

/** The same network, narrower; ids, order and ways of arrows are those of the server. */
export function compact(layout: NetworkLayout, squeeze = 0.66): NetworkLayout {
  const boxes: LayoutBox[] = layout.boxes.map((b) => ({ ...b, ...boxSize(b.label, b.kind === "phenotype" ? RATE_WIDTH : LEAST), x: b.x * squeeze, y: TOP + (b.row + 1) * PITCH }));
  const byId = new Map(boxes.map((b) => [b.id, b]));
  const links: LayoutLink[] = layout.links.map((l) => ({ ...l, points: l.points.map(([x, y]) => [x * squeeze, y] as [number, number]) }));
  interface Slot {
    x: number;
    half: number;
    put: (x: number) => void;
  }
  const rows = new Map<number, Slot[]>();
  const add = (row: number, slot: Slot): void => void rows.set(row, [...(rows.get(row) ?? []), slot]);
  for (const b of boxes) add(b.row, { x: b.x, half: b.width / 2, put: (x) => void (b.x = x) });
  for (const l of links) {
    const first = byId.get(l.source)?.row ?? 0;
    // way-points come in pairs, one pair for every row that an arrow passes
    for (let k = 1; k + 1 < l.points.length; k += 2) {
      const row = first + (k + 1) / 2;
      const [a, b] = [l.points[k], l.points[k + 1]];
      if (!a || !b) continue;
      const y = TOP + (row + 1) * PITCH;
      a[1] = y - 19;
      b[1] = y + 19;
      add(row, { x: a[0], half: WAY / 2, put: (x) => { a[0] = x; b[0] = x; } });
    }
  }
  let left = Infinity;
  for (const slots of rows.values()) {
    slots.sort((a, b) => a.x - b.x);
    const distances = slots.slice(1).map((s, i) => s.half + (slots[i]?.half ?? 0) + (s.half > WAY && (slots[i]?.half ?? 0) > WAY ? GAP : 4));
    const found = apart(slots.map((s) => s.x), distances);
    slots.forEach((s, i) => {
      s.x = found[i] ?? s.x;
      left = Math.min(left, s.x - s.half);
    });
  }
  let right = 0;
  for (const slots of rows.values())
    for (const s of slots) {
      s.x += 14 - left;
      s.put(s.x);
      right = Math.max(right, s.x + s.half);
    }
  for (const l of links) {
    const [a, b] = [byId.get(l.source), byId.get(l.target)];
    const [first, last] = [l.points[0], l.points[l.points.length - 1]];
    if (a && first) [first[0], first[1]] = [a.x, a.y + a.height / 2];
    if (b && last) [last[0], last[1]] = [b.x, b.y - b.height / 2];
  }
  const drugs: LayoutDrug[] = layout.drugs.map((d) => ({ ...d, ...boxSize(d.label, 70), width: boxSize(d.label, 70).width + 14, y: TOP }));
  return { ...layout, boxes, links, drugs, width: right + 14, height: Math.max(...boxes.map((b) => b.y + b.height / 2)) + 16 };
}
