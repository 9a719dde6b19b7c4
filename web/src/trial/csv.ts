/** The table of predicted beside published as a file. */

import type { TrialResult } from "../types";
import { armRows, contrastRows } from "./rows";

const COLUMNS = ["arm", "statistic", "predicted", "low_90", "high_90", "published", "published_low", "published_high", "null_model", "where_printed", "run"];

/** RFC 4180: a field with a comma, quote or line break stands in quotes. */
export function csvText(rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const field = (v: string | number | null | undefined): string => {
    const text = v === null || v === undefined ? "" : String(v);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return rows.map((r) => r.map(field).join(",")).join("\r\n") + "\r\n";
}

export function resultCsv(result: TrialResult): string {
  const rows = [...armRows(result.result), ...contrastRows(result.result)].map((r) => {
    const e = r.estimate;
    return [r.armLabel, r.name, e.value, e.low, e.high, e.published, e.published_low, e.published_high, r.nullModel, e.source, result.run.digest];
  });
  return csvText([COLUMNS, ...rows]);
}
