/** A patient's tumour as a condition of the map; the server knows which marker sets what. */

import { post } from "../api";
import { words } from "../format";
import { queryText } from "../links";
import type { Condition } from "../types";
import { writeCondition } from "./condition";

interface Item {
  item: string;
  value: string;
}

export interface PatientCell {
  condition: Condition;
  altered: (Item & { switch: string })[];
  as_reference: Item[];
  left_out: Item[];
}

/** The cell of a case: `yaml`, or `bundle` for mCODE. */
export function patientCell(given: { yaml: string } | { bundle: unknown }): Promise<PatientCell> {
  return post<PatientCell>("/patient/cell", given);
}

function list(items: readonly Item[]): string {
  return items.map((i) => `${words(i.item.replace(/^biomarkers\./, ""))} ${words(i.value)}`).join(", ");
}

/** What became of each marker that is known. */
export function cellText(cell: PatientCell): string {
  const parts = [
    cell.altered.length ? `set: ${list(cell.altered)}` : "no marker sets anything",
    cell.as_reference.length ? `as in the reference cell: ${list(cell.as_reference)}` : "",
    cell.left_out.length ? `not on this map: ${list(cell.left_out)}` : "",
  ];
  return `${parts.filter(Boolean).join("; ")}.`;
}

/** Address of the map with a patient's cell under drugs. */
export function mapHref(cell: PatientCell, drugs: readonly string[]): string {
  const condition = { ...cell.condition, drugs: Object.fromEntries(drugs.map((d) => [d, "clinical"])) };
  const query = Object.entries(writeCondition(condition, "")).filter((p): p is [string, string] => Boolean(p[1]));
  return `/pathway${queryText(new URLSearchParams(query))}`;
}
