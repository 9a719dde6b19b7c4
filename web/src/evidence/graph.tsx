/** The trace as a graph: the entry in the middle, what it rests on to the left, what rests on it to the right. */

import { useWidth } from "../charts/frame";
import { traceHref } from "../links";
import type { Trace, TraceNode } from "../types";

interface Placed {
  node: TraceNode;
  column: number;
  x: number;
  y: number;
}

const ROW = 25;
const MOST = 16;

/** Nodes by their distance from the entry; negative on the side of the sources. A column holds the first of them. */
export function columns(trace: Trace, most = MOST): { placed: Map<string, { node: TraceNode; column: number; row: number }>; rows: number; hidden: number } {
  const placed = new Map<string, { node: TraceNode; column: number; row: number }>();
  const counts = new Map<number, number>();
  let hidden = 0;
  const put = (node: TraceNode, column: number): boolean => {
    if (placed.has(node.key)) return false;
    const row = counts.get(column) ?? 0;
    if (row >= most) {
      hidden += 1;
      return false;
    }
    counts.set(column, row + 1);
    placed.set(node.key, { node, column, row });
    return true;
  };
  for (const n of trace.found) put(n, 0);
  for (const [side, sign] of [
    [trace.rests_on, -1],
    [trace.supports, 1],
  ] as const) {
    if (!side) continue;
    const byKey = new Map(side.nodes.map((n) => [n.key, n]));
    let front = trace.found.map((n) => n.key);
    const seen = new Set(front);
    for (let step = 1; step <= 6 && front.length; step += 1) {
      const next: string[] = [];
      for (const l of side.links) {
        const [from, to] = sign < 0 ? [l.lower, l.upper] : [l.upper, l.lower];
        if (front.includes(from) && !seen.has(to)) {
          seen.add(to);
          next.push(to);
        }
      }
      for (const k of next) {
        const node = byKey.get(k);
        if (node) put(node, sign * step);
      }
      front = next;
    }
  }
  return { placed, rows: Math.max(1, ...counts.values()), hidden };
}

export function TraceGraph({ trace }: { trace: Trace }) {
  const [ref, width] = useWidth<HTMLDivElement>(900);
  const { placed, rows, hidden } = columns(trace);
  const used = [...new Set([...placed.values()].map((p) => p.column))].sort((a, b) => a - b);
  if (placed.size < 2) return null;
  const each = Math.max(width / used.length, 150);
  const total = each * used.length;
  const boxWidth = Math.min(each - 44, 250);
  const height = rows * ROW + 34;
  const at = new Map<string, Placed>();
  for (const p of placed.values()) {
    const inColumn = [...placed.values()].filter((o) => o.column === p.column).length;
    at.set(p.node.key, {
      node: p.node,
      column: p.column,
      x: (used.indexOf(p.column) + 0.5) * each,
      y: 30 + (rows - inColumn) * (ROW / 2) + (p.row + 0.5) * ROW,
    });
  }
  const links = [...(trace.rests_on?.links ?? []), ...(trace.supports?.links ?? [])];
  const cut = (text: string): string => {
    const most = Math.floor((boxWidth - 16) / 6.1);
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  };
  return (
    <section class="panel chart" aria-label="Trace graph" data-source="count:trace">
      <div class="scroll">
        <div ref={ref} />
        <svg viewBox={`0 0 ${total} ${height}`} style={{ minWidth: `${Math.min(total, used.length * 150)}px` }} role="group" aria-label="What the entry rests on, to the left, and what rests on it, to the right" data-chart="trace">
          <text class="title" x={4} y={14}>
            {used.some((c) => c < 0) ? "← rests on" : ""}
          </text>
          <text class="title" x={total - 4} y={14} text-anchor="end">
            {used.some((c) => c > 0) ? "supports →" : ""}
          </text>
          {links.map((l, i) => {
            const a = at.get(l.upper);
            const b = at.get(l.lower);
            if (!a || !b || a.column >= b.column) return null;
            const x0 = a.x + boxWidth / 2;
            const x1 = b.x - boxWidth / 2;
            const m = (x1 - x0) / 2;
            return (
              <path key={i} d={`M${x0},${a.y}C${x0 + m},${a.y} ${x1 - m},${b.y} ${x1},${b.y}`} fill="none" style={{ stroke: "var(--edge)", strokeWidth: 1.1, strokeOpacity: 0.6 }}>
                <title>{l.why}</title>
              </path>
            );
          })}
          {[...at.values()].map((p) => (
            <a key={p.node.key} href={traceHref(p.node.key)} data-source={`record:${p.node.key}`} aria-label={`${cut(p.node.label).replace("…", "")} (${p.node.kind}: ${p.node.label})`}>
              <title>{`${p.node.kind}: ${p.node.label}`}</title>
              <rect
                x={p.x - boxWidth / 2}
                y={p.y - 10.5}
                width={boxWidth}
                height={21}
                rx={5}
                style={{ fill: p.column === 0 ? "var(--accent-soft)" : "var(--sunk)", stroke: p.column === 0 ? "var(--accent)" : "var(--line-2)" }}
              />
              <text x={p.x - boxWidth / 2 + 8} y={p.y + 4} class={p.column === 0 ? "strong" : ""}>
                {cut(p.node.label)}
              </text>
            </a>
          ))}
        </svg>
      </div>
      {hidden > 0 && (
        <p class="small muted" data-source="text">
          {hidden} more in the lists below
        </p>
      )}
    </section>
  );
}
