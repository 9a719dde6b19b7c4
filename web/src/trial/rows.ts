/** The result of a trial as rows for tables and charts. */

import { endpointShort, ENDPOINTS, type Kind } from "../format";
import type { Estimate, TrialAnswer, TrialResult } from "../types";
import type { PublishedMedian } from "../charts/km";

export const RATES = ["orr", "cbr", "cns_orr", "cns_incidence", "cns_first", "pcr"];

export interface ResultRow {
  key: string;
  arm: string;
  armLabel: string;
  endpoint: string;
  name: string;
  kind: Kind;
  estimate: Estimate;
  nullModel: number | null;
  outside: boolean;
}

function isEstimate(x: unknown): x is Estimate {
  return typeof x === "object" && x !== null && "value" in x && "low" in x;
}

export function outside(e: Estimate): boolean {
  return e.published !== null && e.low !== null && (e.published < e.low || (e.high !== null && e.published > e.high));
}

/** Endpoints of arms, in the order of the report; what was not predicted is left out. */
export function armRows(answer: TrialAnswer): ResultRow[] {
  return answer.arms.flatMap((arm) =>
    Object.entries(arm).flatMap(([key, e]) => {
      if (!isEstimate(e) || (e.value === null && e.low === null && e.high === null && e.published === null && e.mc_error == null)) return [];
      const endpoint = key.replace(/^median_/, "");
      const kind: Kind = RATES.includes(endpoint) ? "rate" : "median";
      const none = answer.null_model.arms.find((a) => a.name === arm.name)?.[key];
      return [
        {
          key: `${arm.name}/${key}`,
          arm: arm.name,
          armLabel: arm.label,
          endpoint,
          name: kind === "rate" ? (ENDPOINTS[endpoint] ?? endpoint) : `median ${endpointShort(endpoint)}, months`,
          kind,
          estimate: e,
          nullModel: typeof none === "number" ? none : null,
          outside: outside(e),
        },
      ];
    }),
  );
}

export function contrastRows(answer: TrialAnswer): ResultRow[] {
  const label = (id: string): string => answer.arms.find((a) => a.name === id)?.label ?? id;
  return answer.contrasts.map((c) => ({
    key: `${c.experimental}/${c.control}/${c.endpoint}`,
    arm: `${c.experimental}/${c.control}`,
    armLabel: `${label(c.experimental)} v ${label(c.control)}`,
    endpoint: c.endpoint,
    name: `hazard ratio, ${endpointShort(c.endpoint)}`,
    kind: "hr" as const,
    estimate: c.hr,
    nullModel: answer.null_model.contrasts.find((n) => n.endpoint === c.endpoint && n.experimental === c.experimental && n.control === c.control)?.hr ?? null,
    outside: outside(c.hr),
  }));
}

/** Published medians of an endpoint, for the marks on its curves. */
export function publishedMedians(answer: TrialAnswer, endpoint: string): PublishedMedian[] {
  return armRows(answer).flatMap((r) =>
    r.endpoint === endpoint && r.kind === "median" && r.estimate.published !== null
      ? [{ arm: r.arm, value: r.estimate.published, low: r.estimate.published_low, high: r.estimate.published_high, where: r.estimate.source ?? "" }]
      : [],
  );
}

export function labels(result: TrialResult): Record<string, string> {
  return Object.fromEntries(result.arms.map((a) => [a.id, a.label]));
}
