import { describe, expect, it } from "vitest";
import { apart, boxSize, compact, lines } from "../src/pathway/compact";
import { asked, doseAt, dosePosition, doseRange, readCondition, writeCondition } from "../src/pathway/condition";
import { change, frameAt, largestChanges } from "../src/pathway/frame";
import { neighbour, placeDrugs, ports } from "../src/pathway/geometry";
import type { NetworkCourse, NetworkLayout, NetworkState } from "../src/types";

const box = (id: string, label: string, row: number, x: number) => ({ id, kind: "node", label, row, x, y: 100 * row, width: 90, height: 34, about: "", trace: null });

describe("condition in the address", () => {
  it("comes back as it was written", () => {
    const c = { cell: "bt474", drugs: { trastuzumab: "clinical", lapatinib: 120 }, switches: { "pten-loss": 0.8 }, ligands: { heregulin: 5 }, where: "culture" };
    const query = new URLSearchParams();
    for (const [k, v] of Object.entries(writeCondition(c, "_b"))) if (v) query.set(k, v);
    expect(readCondition(query, "_b")).toEqual(c);
    expect(readCondition(query, "")).toEqual({ cell: "reference", drugs: {}, switches: {}, ligands: {}, where: "tumour" });
  });
  it("does not trust what stands there", () => {
    const c = readCondition(new URLSearchParams("drugs=lapatinib:-3,trastuzumab:x&switches=a:b&where=moon"), "");
    expect(c.drugs).toEqual({ lapatinib: "clinical", trastuzumab: "clinical" });
    expect(c.switches).toEqual({});
    expect(c.where).toBe("tumour");
  });
  it("asks for nothing that is off", () => {
    expect(asked({ cell: "x", drugs: { a: 0, b: "clinical" }, switches: { s: 0, t: 0.5 } }, 28)).toMatchObject({ drugs: { b: "clinical" }, switches: { t: 0.5 }, days: 28 });
  });
});

describe("dose slider", () => {
  it("is logarithmic, with no drug at its left end", () => {
    const range = doseRange(500);
    expect(doseAt(0, range)).toBe(0);
    expect(dosePosition(0, range)).toBe(0);
    for (const dose of [1, 50, 500, 9000]) expect(doseAt(dosePosition(dose, range), range) / dose).toBeCloseTo(1, 2);
  });
});

describe("narrow layout", () => {
  it("cuts long names where the longer line is shortest", () => {
    expect(lines("AKT")).toEqual(["AKT"]);
    expect(lines("HER2Δ16:HER2Δ16")).toEqual(["HER2Δ16:", "HER2Δ16"]);
    expect(lines("Loss by blood supply")).toEqual(["Loss by", "blood supply"]);
  });
  it("keeps distances and order, and moves nothing that has room", () => {
    expect(apart([0, 100, 200], [50, 50])).toEqual([0, 100, 200]);
    const pushed = apart([0, 10, 20], [30, 30]);
    expect(pushed).toEqual([-20, 10, 40]);
  });
  it("lets no two boxes of a row overlap", () => {
    const boxes = Array.from({ length: 9 }, (_, i) => box(`n${i}`, `transcription factor ${i}`, i % 2, 100 * Math.floor(i / 2) + 50));
    const layout: NetworkLayout = { width: 500, height: 300, boxes, links: [], loops: [], drugs: [] };
    const out = compact(layout, 0.3);
    for (const row of [0, 1]) {
      const of = out.boxes.filter((b) => b.row === row).sort((a, b) => a.x - b.x);
      for (let i = 1; i < of.length; i += 1) {
        const [a, b] = [of[i - 1], of[i]];
        if (a && b) expect(b.x - a.x).toBeGreaterThanOrEqual((a.width + b.width) / 2);
      }
      expect(of.every((b) => b.x - b.width / 2 >= 0 && b.x + b.width / 2 <= out.width)).toBe(true);
    }
    expect(boxSize("PI3K recruitment").lines).toHaveLength(2);
  });
});

describe("geometry", () => {
  it("spreads arrows over a box in the order of their other ends", () => {
    const links = [
      { id: "r", source: "a", target: "b", points: [[50, 0], [90, 100]] as [number, number][] },
      { id: "l", source: "a", target: "c", points: [[50, 0], [10, 100]] as [number, number][] },
    ];
    const p = ports(links, new Map([["a", { x: 50, width: 80 }]]));
    expect(p.out.get("l")).toBeLessThan(p.out.get("r") as number);
  });
  it("puts drugs above what they hit without overlap, inside the picture", () => {
    const boxes = new Map([["t", box("t", "T", 0, 20)]]);
    const drug = (id: string) => ({ id, agent: id, label: id, x: 0, y: 0, width: 80, height: 30, targets: [{ target: "t", sign: -1, about: "" }] });
    const placed = placeDrugs([drug("a"), drug("b"), drug("c")], boxes, 400);
    for (let i = 1; i < placed.length; i += 1) expect((placed[i]?.x ?? 0) - (placed[i - 1]?.x ?? 0)).toBeGreaterThanOrEqual(80);
    expect(Math.max(...placed.map((d) => d.x + 40))).toBeLessThanOrEqual(400);
  });
  it("finds the box that an arrow key means", () => {
    const boxes = [{ id: "m", x: 100, y: 100 }, { id: "r", x: 200, y: 105 }, { id: "rr", x: 300, y: 100 }, { id: "d", x: 90, y: 200 }];
    expect(neighbour(boxes, "m", "ArrowRight")).toBe("r");
    expect(neighbour(boxes, "m", "ArrowDown")).toBe("d");
    expect(neighbour(boxes, "m", "ArrowLeft")).toBe("d");
    expect(neighbour(boxes, "m", "ArrowUp")).toBeNull();
  });
});

describe("frames", () => {
  const item = (value: number, untreated: number, unit = "1") => ({ value, untreated, unit, shade: value });
  const state = { days: 28, items: { akt: item(0.2, 0.8), her2: item(1, 1, "1e6/cell") }, links: { l: 0.2 }, loops: { s: 0.5 }, net_growth: -0.02 } as unknown as NetworkState;
  const course = { days: [0, 10, 28], items: { akt: [0.8, 0.4, 0.2] }, shades: { akt: [0.8, 0.4, 0.2] }, links: { l: [1, 0.5, 0.2] }, loops: { s: [0, 0.2, 0.5] }, net_growth: [0.02, 0, -0.02] } as unknown as NetworkCourse;
  it("mix the two nearest days", () => {
    const f = frameAt(course, state, 5);
    expect(f.items["akt"]?.value).toBeCloseTo(0.6, 12);
    expect(f.links["l"]).toBeCloseTo(0.75, 12);
    expect(f.growth).toBeCloseTo(0.01, 12);
    expect(f.items["her2"]?.value).toBe(1);
  });
  it("end at the state itself", () => {
    expect(frameAt(course, state, 28).items["akt"]?.value).toBeCloseTo(0.2, 12);
  });
  it("order changes by size and leave out what did not change", () => {
    expect(change(item(0.2, 0.8))).toBe(-1);
    expect(largestChanges(state.items, 5).map(([id]) => id)).toEqual(["akt"]);
  });
});
