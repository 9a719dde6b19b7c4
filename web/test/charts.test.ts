import { describe, expect, it } from "vitest";
import { horizon } from "../src/charts/km";
import { linear, log, logTicks, monthTicks, stepAt, stepBand, steps, ticks } from "../src/charts/scale";

describe("scales", () => {
  it("go back where they came from", () => {
    const a = linear([0, 36], [50, 450]);
    const b = log([0.2, 5], [10, 210]);
    for (const x of [0, 1.7, 18, 36]) expect(a.invert(a(x))).toBeCloseTo(x, 10);
    for (const x of [0.2, 0.62, 1, 5]) expect(b.invert(b(x))).toBeCloseTo(x, 10);
  });
  it("put a ratio and its inverse at the same distance from 1", () => {
    const x = log([0.25, 4], [0, 100]);
    expect(x(1) - x(0.5)).toBeCloseTo(x(2) - x(1), 10);
  });
  it("have round ticks inside the domain", () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0.03, 0.97, 4).every((t) => t >= 0.03 && t <= 0.97)).toBe(true);
    expect(monthTicks(37, 8)).toEqual([0, 6, 12, 18, 24, 30, 36]);
    expect(logTicks(0.4, 2.2)).toEqual([0.5, 0.7, 1, 1.5, 2]);
  });
});

describe("step functions", () => {
  const x = linear([0, 10], [0, 10]);
  const y = linear([0, 1], [1, 0]);
  it("hold their value until the next time", () => {
    const t = [0, 2, 5];
    const s = [1, 0.8, 0.3];
    expect(stepAt(t, s, 1.99)).toBe(1);
    expect(stepAt(t, s, 2)).toBe(0.8);
    expect(stepAt(t, s, 99)).toBe(0.3);
    expect(stepAt([], [], 1)).toBeUndefined();
  });
  it("are drawn without slopes", () => {
    expect(steps([0, 2, 5], [1, 0.8, 0.3], x, y)).toBe("M0.0,0.0H2.0V0.2H5.0V0.7");
  });
  it("enclose a band that ends where it began", () => {
    // upper edge to the right, down, lower edge to the left: every corner by hand
    expect(stepBand([0, 4], [0.6, 0.2], [0.8, 0.4], x, y)).toBe("M0.0,0.2H4.0V0.6V0.8V0.4H0.0Z");
  });
});

describe("horizon", () => {
  it("ends where hardly anybody is left, not at the last time", () => {
    const curve = { arm: "a", time: [0, 5, 10, 50], survival: [1, 0.5, 0.01, 0.0] };
    expect(horizon([curve])).toBe(10);
    expect(horizon([{ ...curve, survival: [1, 0.9, 0.8, 0.7] }])).toBe(50);
  });
});
