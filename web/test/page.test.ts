import { describe, expect, it } from "vitest";
import { dodge } from "../src/charts/dodge";
import { title, words } from "../src/format";
import { claimsOf, headingOf, mostApart } from "../src/pathway/about";
import { change } from "../src/pathway/frame";
import { cellText, mapHref } from "../src/pathway/patient_cell";
import { csvText } from "../src/trial/csv";
import { at, dropEmpty, put, read } from "../src/trial/document";
import { ownValue, valueLabel } from "../src/trial/form";
import type { NetworkLayout, PopulationValue, StateItem } from "../src/types";

const share: PopulationValue = { id: "pik3ca_mutant", label: "Prevalence of PIK3CA mutation", value: 0.32, unit: "1", quality: "measured", is_share: true, is_marker: true, trace: "parameter:x" };

describe("dots that would cover each other", () => {
  const pile = [...Array.from({ length: 9 }, () => ({ x: 50, y: 50 })), { x: 52, y: 50 }, { x: 300, y: 300 }];
  const apart = dodge(pile, 9.5);
  it("are apart, stay near, and one that is alone does not move", () => {
    for (let i = 0; i < apart.length; i += 1)
      for (let j = i + 1; j < apart.length; j += 1) {
        const [a, b] = [apart[i]!, apart[j]!];
        expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(9.4);
      }
    // ten discs of this distance fit into a circle of about two and a half of them
    for (const [i, p] of pile.entries()) expect(Math.hypot(apart[i]!.x - p.x, apart[i]!.y - p.y)).toBeLessThan(3 * 9.5);
    expect(apart.at(-1)).toEqual({ x: 300, y: 300 });
  });
  it("lie in the same places each time, and points far apart where they were", () => {
    expect(dodge(pile, 9.5)).toEqual(apart);
    const far = [{ x: 0, y: 0 }, { x: 20, y: 0 }];
    expect(dodge(far, 9.5)).toEqual(far);
  });
});

describe("files", () => {
  it("quote what would break a row", () => {
    expect(csvText([["a", 1.5, null], ['say "so"', "x,y", undefined]])).toBe('a,1.5,\r\n"say ""so""","x,y",\r\n');
  });
});

describe("biomarkers in the trial file", () => {
  const file = "id: t\npopulation:\n  recipe: second_line # why\n  size: 100\n";
  it("are per cent in the form and a share with its origin in the file", () => {
    const text = put(file, ["population", "values", "pik3ca_mutant"], ownValue(share, 100));
    expect(text).toContain('pik3ca_mutant: {value: 1, unit: "1", quality: assumed, source: own_trial, locator: entered in the form}');
    expect(text).toContain("# why");
    expect(at(read(text).data, ["population", "values", "pik3ca_mutant", "value"])).toBe(1);
    expect(ownValue(share, 12.5).value).toBe(0.125);
    expect(valueLabel(share)).toBe("PIK3CA mutation, %");
    expect(valueLabel({ ...share, label: "Prevalence of p95HER2" })).toBe("p95HER2, %");
  });
  it("leave nothing behind when they are taken out again", () => {
    const one = put(file, ["population", "values", "pik3ca_mutant"], ownValue(share, 50));
    const two = put(one, ["population", "values", "pten_low"], ownValue(share, 20));
    expect(at(read(dropEmpty(two, ["population", "values"], "pten_low")).data, ["population", "values"])).toHaveProperty("pik3ca_mutant");
    expect(dropEmpty(one, ["population", "values"], "pik3ca_mutant")).toBe(file);
  });
});

describe("a patient's cell", () => {
  const cell = {
    condition: { cell: "reference", switches: { "pten-loss": 1 }, where: "tumour" },
    altered: [{ item: "biomarkers.pten", value: "lost", switch: "pten-loss" }],
    as_reference: [{ item: "her2", value: "positive" }],
    left_out: [{ item: "biomarkers.ps6", value: "high" }],
  };
  it("says what became of each marker", () => {
    expect(cellText(cell)).toBe("set: PTEN lost; as in the reference cell: HER2 positive; not on this map: pS6 high.");
  });
  it("has an address", () => {
    expect(mapHref(cell, ["lapatinib"])).toBe("/pathway?drugs=lapatinib:clinical&switches=pten-loss:1");
  });
});

describe("two conditions", () => {
  const item = (value: number, untreated = value): StateItem => ({ value, untreated, unit: "1", shade: null });
  it("are compared where they differ, not where each differs from no treatment", () => {
    const a = { akt: item(0.2, 0.8), erk: item(0.5), "drug:x": item(9, 0) };
    const b = { akt: item(0.2, 0.8), erk: item(0.1), "drug:x": item(0, 0) };
    expect(mostApart(a, b, 5, change)).toEqual(["erk"]);
  });
});

describe("names", () => {
  it("keep the case of symbols", () => {
    expect(title(words("p95her2"))).toBe("p95HER2");
    expect(title(words("mtor_inhibitor"))).toBe("mTOR inhibitor");
    expect(title(words("first_line"))).toBe("First line");
  });
  it("of boxes, arrows and slow states come with their claims", () => {
    const layout = {
      boxes: [{ id: "a", label: "Alpha", claims: ["c1"] }, { id: "b", label: "Beta" }],
      links: [{ id: "a>b:-1", source: "a", target: "b", sign: -1, claims: ["c2"] }],
      loops: [{ id: "slow", label: "Slow part", claims: ["c3"] }],
      drugs: [{ id: "drug:x", label: "X", targets: [{ claims: ["c4"] }, {}] }],
    } as unknown as NetworkLayout;
    expect(headingOf(layout, "a>b:-1")).toBe("Alpha inhibits Beta");
    expect(headingOf(layout, "slow")).toBe("Slow part");
    expect(claimsOf(layout, "b")).toEqual(["c2"]);
    expect(claimsOf(layout, "a")).toEqual(["c1"]);
    expect(claimsOf(layout, "drug:x")).toEqual(["c4"]);
    expect(claimsOf(layout, "slow")).toEqual(["c3"]);
  });
});
