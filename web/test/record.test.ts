import { describe, expect, it } from "vitest";
import { columns } from "../src/evidence/graph";
import { readPairs, writePairs } from "../src/pairs";
import { distance } from "../src/scoreboard/distance";
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
    expect(distance({ statistic: "rate", predicted: 0.5, low90: 0.4, high90: 0.6, published: 0.65 })).toBeCloseTo(1.5, 12);
  });
  it("is 0 beyond a median whose upper limit is not reached", () => {
    expect(distance({ ...e, high90: null, published: 40 })).toBe(0);
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
