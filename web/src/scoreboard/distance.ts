import type { ValidationEndpoint } from "../types";

function logit(share: number): number {
  const p = Math.min(Math.max(share, 1e-3), 1 - 1e-3);
  return Math.log(p / (1 - p));
}

/** Distance of the published figure from the predicted median, 1 at the limit of the 90 % interval.
 *
 * Rates on the logit, times and hazard ratios on the log scale, as `her2 validate` has them.
 */
export function distance(e: Pick<ValidationEndpoint, "statistic" | "published" | "predicted" | "low90" | "high90">): number {
  const { published: x, predicted: m } = e;
  if (x === null || m === null || e.low90 === null) return Number.NaN;
  const f = e.statistic === "rate" ? logit : (v: number): number => Math.log(Math.max(v, 1e-9));
  const side = x < m ? f(m) - f(e.low90) : e.high90 === null ? Number.POSITIVE_INFINITY : f(e.high90) - f(m);
  const d = Math.abs(f(x) - f(m));
  return side > 0 ? d / side : d > 0 ? Infinity : 0;
}

/** Misses before the others, the farthest first; what has no distance, because a median is not reached, comes last of its kind. */
export function byDistance(a: { e: Pick<ValidationEndpoint, "inside90">; distance: number }, b: { e: Pick<ValidationEndpoint, "inside90">; distance: number }): number {
  const of = (d: number): number => (Number.isNaN(d) ? -1 : Math.min(d, 1e9));
  return Number(b.e.inside90 === false) - Number(a.e.inside90 === false) || of(b.distance) - of(a.distance);
}

/** Exact 95 % limits of a share, `k` of `n` (Clopper and Pearson). */
export function shareLimits(k: number, n: number): [number, number] {
  /** Probability of `k` or fewer of `n`. */
  const atMost = (count: number, p: number): number => {
    let sum = 0;
    let choose = 0;
    for (let i = 0; i <= count; i += 1) {
      if (i > 0) choose += Math.log((n - i + 1) / i);
      sum += Math.exp(choose + i * Math.log(p) + (n - i) * Math.log1p(-p));
    }
    return sum;
  };
  /** Where a rising function meets zero. */
  const root = (rises: (p: number) => number): number => {
    let [a, b] = [0, 1];
    for (let i = 0; i < 50; i += 1) {
      const middle = (a + b) / 2;
      if (rises(middle) < 0) a = middle;
      else b = middle;
    }
    return (a + b) / 2;
  };
  return [k === 0 ? 0 : root((p) => 1 - atMost(k - 1, p) - 0.025), k === n ? 1 : root((p) => 0.025 - atMost(k, p))];
}
