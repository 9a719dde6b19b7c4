import type { ValidationEndpoint } from "../types";

/** Distance of the published figure from the predicted median, 1 at the limit of the 90 % interval; on a log scale but for rates. */
export function distance(e: Pick<ValidationEndpoint, "statistic" | "published" | "predicted" | "low90" | "high90">): number {
  const { published: x, predicted: m } = e;
  if (x === null || m === null || e.low90 === null) return Number.NaN;
  const f = e.statistic === "rate" ? (v: number): number => v : (v: number): number => Math.log(Math.max(v, 1e-9));
  const side = x < m ? f(m) - f(e.low90) : e.high90 === null ? Number.POSITIVE_INFINITY : f(e.high90) - f(m);
  const d = Math.abs(f(x) - f(m));
  return side > 0 ? d / side : d > 0 ? Infinity : 0;
}
