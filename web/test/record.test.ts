import { describe, expect, it } from "vitest";
import { columns } from "../src/evidence/graph";
import { readPairs, writePairs } from "../src/pairs";
import { traceKey } from "../src/links";
import { byDistance, distance, shareLimits } from "../src/scoreboard/distance";
import { trialNames } from "../src/scoreboard/names";
import { append, at, drop, put, read } from "../src/trial/document";
import type { Trace } from "../src/types";

const FILE = `# a comment that stays
id: mine
population: {recipe: first_line_metastatic, size: 808} # beside it
arms:
  - id: a
    regimen:
      - {agent: trastuzumab, dose: "8 mg/kg then 6 mg/kg q3w"}
`;

describe("trial file", () => {
  it("keeps comments and everything else when a field changes", () => {
    const text = put(FILE, ["population", "size"], 300);
    expect(text).toContain("# a comment that stays");
    expect(text).toContain("# beside it");
    expect(at(read(text).data, ["population", "size"])).toBe(300);
    expect(at(read(text).data, ["population", "recipe"])).toBe("first_line_metastatic");
  });
  it("adds and takes away agents", () => {
    const more = append(FILE, ["arms", 0, "regimen"], { agent: "lapatinib", dose: "1000 mg qd" });
    expect(at(read(more).data, ["arms", 0, "regimen", 1, "agent"])).toBe("lapatinib");
    const less = drop(more, ["arms", 0, "regimen", 0]);
    expect(at(read(less).data, ["arms", 0, "regimen"])).toEqual([{ agent: "lapatinib", dose: "1000 mg qd" }]);
  });
  it("says what is wrong and leaves the text alone", () => {
    const bad = "id: [1, 2";
    expect(read(bad).error).not.toBe("");
    expect(put(bad, ["id"], 3)).toBe(bad);
    expect(read("- 1\n- 2").error).toContain("mapping");
  });
});

describe("pairs in the address", () => {
  it("come back", () => {
    const pairs = { trastuzumab: "clinical", lapatinib: 0.25 };
    expect(readPairs(writePairs(pairs))).toEqual(pairs);
    expect(readPairs("")).toEqual({});
  });
});

describe("distance of a published figure", () => {
  const e = { statistic: "median", predicted: 10, low90: 5, high90: 20 };
  it("is 1 at the limits, on the scale of the statistic", () => {
    expect(distance({ ...e, published: 20 })).toBeCloseTo(1, 12);
    expect(distance({ ...e, published: 5 })).toBeCloseTo(1, 12);
    expect(distance({ ...e, published: 10 })).toBe(0);
    expect(distance({ statistic: "rate", predicted: 0.5, low90: 0.4, high90: 0.6, published: 0.65 })).toBeCloseTo(Math.log(0.65 / 0.35) / Math.log(0.6 / 0.4), 12);
  });
  it("is 0 beyond a median whose upper limit is not reached", () => {
    expect(distance({ ...e, high90: null, published: 40 })).toBe(0);
  });
});

describe("scoreboard", () => {
  it("puts a miss before a figure whose predicted median is not reached", () => {
    const rows = [
      { id: "unreached", e: { inside90: true }, distance: Number.NaN },
      { id: "near", e: { inside90: true }, distance: 0.2 },
      { id: "far", e: { inside90: true }, distance: 0.9 },
      { id: "missed", e: { inside90: false }, distance: 1.1 },
      { id: "point", e: { inside90: false }, distance: Infinity },
    ];
    expect([...rows].sort(byDistance).map((r) => r.id)).toEqual(["point", "missed", "far", "near", "unreached"]);
  });
  it("has exact limits of a share", () => {
    // of none and of all in closed form; of one in two by symmetry
    expect(shareLimits(0, 10)[0]).toBe(0);
    expect(shareLimits(0, 10)[1]).toBeCloseTo(1 - 0.025 ** (1 / 10), 10);
    expect(shareLimits(7, 7)[0]).toBeCloseTo(0.025 ** (1 / 7), 10);
    const [low, high] = shareLimits(51, 102);
    expect(low + high).toBeCloseTo(1, 10);
    expect(low).toBeGreaterThan(0.3);
  });
  it("names trials as their titles do, and no two alike", () => {
    const names = trialNames([
      { id: "burris_2013", title: "Margetuximab alone (Burris 2013, update 2015)" },
      { id: "a_2013", title: "One or two years (HERA, A 2013)" },
      { id: "b_2005", title: "One year (HERA, B 2005)" },
      { id: "emilia", title: "T-DM1 (EMILIA)" },
      { id: "emilia_cns", title: "T-DM1 in brain metastases (EMILIA)" },
    ]);
    expect([...names.values()]).toEqual(["Burris 2013", "HERA, A 2013", "HERA, B 2005", "EMILIA", "EMILIA CNS"]);
  });
});

describe("keys of the trace", () => {
  it("call a trial of the search a study", () => {
    expect(traceKey("trial", "cleopatra")).toBe("study:cleopatra");
    expect(traceKey("claim", "c1")).toBe("claim:c1");
  });
});

describe("trace graph", () => {
  const node = (id: string) => ({ key: `claim:${id}`, kind: "claim", id, label: id, user: false });
  const trace: Trace = {
    found: [node("m")],
    rests_on: { nodes: [node("u"), node("uu")], links: [{ lower: "claim:m", upper: "claim:u", why: "" }, { lower: "claim:u", upper: "claim:uu", why: "" }], cut: false },
    supports: { nodes: [node("d")], links: [{ lower: "claim:d", upper: "claim:m", why: "" }], cut: false },
  };
  it("puts sources to the left and consequences to the right, by steps", () => {
    const { placed } = columns(trace);
    expect([...placed.values()].map((p) => [p.node.id, p.column])).toEqual([["m", 0], ["u", -1], ["uu", -2], ["d", 1]]);
  });
  it("says how many it leaves out", () => {
    const many = { ...trace, supports: { nodes: Array.from({ length: 30 }, (_, i) => node(`n${i}`)), links: Array.from({ length: 30 }, (_, i) => ({ lower: `claim:n${i}`, upper: "claim:m", why: "" })), cut: false } };
    expect(columns(many, 16).hidden).toBe(14);
  });
});
