/** Shapes of the map: smooth arrows through way-points, slow states round the right side, drugs in a row of their own. */

import type { LayoutBox, LayoutDrug } from "../types";

export type Point = readonly [number, number];

/** Through rows straight, between them an S: pairs of way-points are the two ends of a passage through a row. */
export function arrow(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let d = `M${first[0].toFixed(1)},${first[1].toFixed(1)}`;
  let [x, y] = first;
  rest.forEach(([u, v], i) => {
    if (i % 2 === 1) d += `L${u.toFixed(1)},${v.toFixed(1)}`;
    else {
      const m = (v - y) / 2;
      d += `C${x.toFixed(1)},${(y + m).toFixed(1)} ${u.toFixed(1)},${(v - m).toFixed(1)} ${u.toFixed(1)},${v.toFixed(1)}`;
    }
    [x, y] = [u, v];
  });
  return d;
}

/** The end of an arrow: a head, or a bar where it inhibits. */
export function head(x: number, y: number, sign: number): string {
  return sign > 0 ? `M${x - 4},${y - 7}L${x},${y}L${x + 4},${y - 7}` : `M${x - 5.5},${y - 1}h11`;
}

export interface Ports {
  out: Map<string, number>;
  in: Map<string, number>;
}

/** Where on its box each arrow starts and ends: spread over the width in the order of the other ends. */
export function ports(
  links: readonly { id: string; source: string; target: string; points: readonly Point[] }[],
  boxes: ReadonlyMap<string, { x: number; width: number }>,
): Ports {
  const result: Ports = { out: new Map(), in: new Map() };
  const spread = (key: "source" | "target", into: Map<string, number>, other: (l: (typeof links)[number]) => number): void => {
    const groups = new Map<string, (typeof links)[number][]>();
    for (const l of links) groups.set(l[key], [...(groups.get(l[key]) ?? []), l]);
    for (const [name, group] of groups) {
      const box = boxes.get(name);
      if (!box) continue;
      group.sort((a, b) => other(a) - other(b));
      const step = Math.min(13, (box.width - 22) / Math.max(group.length - 1, 1));
      group.forEach((l, i) => into.set(l.id, box.x + step * (i - (group.length - 1) / 2)));
    }
  };
  spread("source", result.out, (l) => l.points[1]?.[0] ?? 0);
  spread("target", result.in, (l) => l.points[l.points.length - 2]?.[0] ?? 0);
  return result;
}

/** Places of the drugs given: above what they hit, none upon another, inside the picture. */
export function placeDrugs(drugs: readonly LayoutDrug[], boxes: ReadonlyMap<string, LayoutBox>, width: number): LayoutDrug[] {
  const gap = 16;
  const placed = drugs
    .map((d) => {
      const xs = d.targets.map((t) => boxes.get(t.target)?.x).filter((x): x is number => x !== undefined);
      return { ...d, x: xs.length ? xs.reduce((a, b) => a + b, 0) / xs.length : width / 2 };
    })
    .sort((a, b) => a.x - b.x);
  for (let i = 1; i < placed.length; i += 1) {
    const [a, b] = [placed[i - 1], placed[i]];
    if (a && b) b.x = Math.max(b.x, a.x + (a.width + b.width) / 2 + gap);
  }
  let limit = width;
  for (let i = placed.length - 1; i >= 0; i -= 1) {
    const d = placed[i];
    if (!d) continue;
    d.x = Math.min(d.x, limit - d.width / 2);
    limit = d.x - d.width / 2 - gap;
  }
  return placed;
}

/** A slow state: from under its driver to the right side, up or down there, and back above its target. */
export function loopPath(driver: LayoutBox, target: LayoutBox, lane: number, gutter: number): string {
  const r = 6;
  const startX = driver.x + driver.width / 2 - 9;
  const startY = driver.y + driver.height / 2;
  const outY = startY + 9 + (lane % 5) * 2.6;
  const endX = target.x + target.width / 2 - 9;
  const endY = target.y - target.height / 2;
  const backY = endY - 12 - (lane % 5) * 2.6;
  const right = gutter + lane * 9;
  const up = backY < outY ? -1 : 1;
  return (
    `M${startX},${startY}V${outY - r}q0,${r} ${r},${r}H${right - r}q${r},0 ${r},${up * r}` +
    `V${backY - up * r}q0,${up * r} ${-r},${up * r}H${endX + r}q${-r},0 ${-r},${r}V${endY - 1}`
  );
}

/** The nearest box in a direction, for the arrow keys. */
export function neighbour(boxes: readonly { id: string; x: number; y: number }[], from: string, key: string): string | null {
  const at = boxes.find((b) => b.id === from);
  if (!at) return boxes[0]?.id ?? null;
  const along = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  let best: string | null = null;
  let least = Infinity;
  for (const b of boxes) {
    const d = sign * (along ? b.x - at.x : b.y - at.y);
    if (b.id === from || d < 1) continue;
    const side = Math.abs(along ? b.y - at.y : b.x - at.x);
    const cost = d + 3 * side;
    if (cost < least) [best, least] = [b.id, cost];
  }
  return best;
}
