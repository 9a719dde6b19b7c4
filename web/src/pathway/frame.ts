/** One frame of the map: the state on a day, or taken out of the course of adaptation. */

import type { NetworkCourse, NetworkState, StateItem } from "../types";

export interface Frame {
  days: number;
  items: Record<string, StateItem>;
  links: Record<string, number>;
  loops: Record<string, number>;
  growth: number;
}

export function frameOf(state: NetworkState): Frame {
  return { days: state.days, items: state.items, links: state.links, loops: state.loops, growth: state.net_growth };
}

/** The course at a day between two frames, linear in time; what a course lacks stays as in the state. */
export function frameAt(course: NetworkCourse, state: NetworkState, days: number): Frame {
  const last = course.days.length - 1;
  let i = course.days.findIndex((d) => d >= days);
  if (i < 0) i = last;
  const j = Math.max(i - 1, 0);
  const a = course.days[j] ?? 0;
  const b = course.days[i] ?? a;
  const w = b > a ? Math.min(Math.max((days - a) / (b - a), 0), 1) : 1;
  const mix = (v: readonly (number | null)[] | null | undefined): number | undefined => {
    const x = v?.[j];
    const y = v?.[i];
    return x === undefined || y === undefined || x === null || y === null ? undefined : x + w * (y - x);
  };
  const items: Record<string, StateItem> = {};
  for (const [id, item] of Object.entries(state.items)) {
    const value = mix(course.items[id]);
    items[id] = value === undefined ? item : { ...item, value, shade: item.shade === null ? null : (mix(course.shades[id]) ?? item.shade) };
  }
  const over = (now: Record<string, number>, all: Record<string, number[]>): Record<string, number> =>
    Object.fromEntries(Object.entries(now).map(([k, v]) => [k, mix(all[k]) ?? v]));
  return { days, items, links: over(state.links, course.links), loops: over(state.loops, course.loops), growth: mix(course.net_growth) ?? state.net_growth };
}

/** Change of a box from the untreated cell, −1 to 1, on the scale on which boxes are shaded. */
export function change(item: StateItem): number {
  if (item.unit === "1/day") return clamp((item.value - item.untreated) / 0.02);
  const scale = (v: number): number => (item.unit === "1e6/cell" ? v / (v + 0.1) : v);
  return clamp((scale(item.value) - scale(item.untreated)) / 0.5);
}

function clamp(x: number): number {
  return Math.min(Math.max(x, -1), 1);
}

/** Boxes that changed most, largest first. */
export function largestChanges(items: Readonly<Record<string, StateItem>>, n: number): [string, StateItem][] {
  return Object.entries(items)
    .filter(([id, i]) => !id.startsWith("drug:") && Math.abs(change(i)) > 0.02)
    .sort((a, b) => Math.abs(change(b[1])) - Math.abs(change(a[1])))
    .slice(0, n);
}
