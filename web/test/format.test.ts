import { describe, expect, it } from "vitest";
import { compact, interval, ofHundred, regimen, show, signed, thousands, words } from "../src/format";

describe("show", () => {
  it("writes rates in per cent, medians with one digit, ratios with two", () => {
    expect(show(0.7564, "rate")).toBe("75.6 %");
    expect(show(18.628, "median")).toBe("18.6");
    expect(show(0.7139, "hr")).toBe("0.71");
  });
  it("tells a median that is not reached from a missing rate", () => {
    expect(show(null, "median")).toBe("not reached");
    expect(show(null, "rate")).toBe("–");
    expect(show(Number.POSITIVE_INFINITY, "median")).toBe("not reached");
  });
  it("writes an interval with one unit at most", () => {
    expect(interval(0.5, 0.6, "rate")).toBe("50.0 to 60.0");
    expect(interval(45.4, null, "median")).toBe("45.4 to not reached");
  });
});

describe("numbers", () => {
  it("keeps three digits over the whole range and never loses the sign", () => {
    expect(compact(0)).toBe("0");
    expect(compact(568.2)).toBe("568");
    expect(compact(-12.34)).toBe("−12.3");
    expect(compact(0.0123)).toBe("0.012");
    expect(compact(123456)).toBe("123 456");
    expect(compact(-123456)).toBe("−123 456");
    expect(compact(0.00001234)).toBe("1.2 × 10^−5");
  });
  it("parts thousands", () => {
    expect(thousands(2000)).toBe("2 000");
    expect(thousands(999)).toBe("999");
  });
  it("signs a growth rate", () => {
    expect(signed(0.0094)).toBe("+0.009");
    expect(signed(-0.0242)).toBe("−0.024");
  });
});

describe("ofHundred", () => {
  it("always adds up to a hundred, by largest remainders", () => {
    for (const shares of [[1, 1, 1], [0.463, 0.537], [0.005, 0.995], [2, 3, 7, 11], [0.1, 0.2, 0.3, 0.4]]) {
      expect(ofHundred(shares).reduce((a, b) => a + b, 0)).toBe(100);
    }
    expect(ofHundred([1, 1, 1])).toEqual([34, 33, 33]);
    expect(ofHundred([0, 0])).toEqual([0, 0]);
  });
});

describe("names", () => {
  it("writes symbols as the field does", () => {
    expect(words("pik3ca_mutant")).toBe("PIK3CA mutant");
    expect(regimen("docetaxel+t_dm1")).toBe("docetaxel + T-DM1");
  });
});
