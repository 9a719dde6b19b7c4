/** Linear and logarithmic scales, and ticks at round values. */

export interface Scale {
  (x: number): number;
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
  invert(y: number): number;
}

export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const [a, b] = domain;
  const [c, d] = range;
  const k = b === a ? 0 : (d - c) / (b - a);
  const f = (x: number): number => c + (x - a) * k;
  return Object.assign(f, { domain, range, invert: (y: number) => (k === 0 ? a : a + (y - c) / k) });
}

export function log(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const inner = linear([Math.log(domain[0]), Math.log(domain[1])], range);
  const f = (x: number): number => inner(Math.log(x));
  return Object.assign(f, { domain, range, invert: (y: number) => Math.exp(inner.invert(y)) });
}

/** About `n` round values from low to high. */
export function ticks(low: number, high: number, n = 6): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(n, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10);
  const out: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** Ticks of time in months: steps that divide a year or are whole years. */
export function monthTicks(high: number, n = 7): number[] {
  const step = [1, 2, 3, 6, 12, 24, 36, 60].find((s) => high / s <= n) ?? 120;
  const out: number[] = [];
  for (let t = 0; t <= high + 1e-9; t += step) out.push(t);
  return out;
}

/** Ticks of a ratio axis, finer where it spans less. */
export function logTicks(low: number, high: number): number[] {
  const out: number[] = [];
  const steps = high / low > 12 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p += 1)
    for (const m of steps) {
      const x = Number((m * 10 ** p).toPrecision(6));
      if (x >= low * 0.999 && x <= high * 1.001) out.push(x);
    }
  return out;
}

/** Path of a step function that starts at the first point; `close` leads down to a value and back for areas. */
export function steps(xs: readonly number[], ys: readonly number[], x: Scale, y: Scale): string {
  let d = "";
  for (let i = 0; i < xs.length; i += 1) {
    const px = x(xs[i] as number).toFixed(1);
    const py = y(ys[i] as number).toFixed(1);
    d += i === 0 ? `M${px},${py}` : `H${px}V${py}`;
  }
  return d;
}

/** The closed area between two step functions over the same times. */
export function stepBand(xs: readonly number[], low: readonly number[], high: readonly number[], x: Scale, y: Scale): string {
  if (xs.length === 0) return "";
  const last = xs.length - 1;
  let d = `${steps(xs, high, x, y)}V${y(low[last] as number).toFixed(1)}`;
  for (let i = last - 1; i >= 0; i -= 1) d += `V${y(low[i] as number).toFixed(1)}H${x(xs[i] as number).toFixed(1)}`;
  return `${d}Z`;
}

/** Value of a step function at a time; the first value before its start. */
export function stepAt(xs: readonly number[], ys: readonly number[], t: number): number | undefined {
  if (xs.length === 0) return undefined;
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if ((xs[mid] as number) <= t) low = mid;
    else high = mid - 1;
  }
  return ys[low];
}
