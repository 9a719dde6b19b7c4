/** What `her2 patient --json` says, as far as the page shows it. */

export interface Rate {
  value: number;
  mc_error: number;
  of_100: number;
  interval_50: [number, number];
  interval_90: [number, number];
}

export interface Times {
  median: number | null;
  interval_50: [number | null, number | null];
  interval_90: [number | null, number | null];
  median_low: number | null;
  median_high: number | null;
}

export interface Ground {
  rule: string;
  says: string;
  strength: string;
  because: string[];
  lines: string[];
}

export interface Option {
  position: number;
  regimen: string;
  strength: string;
  grounds: Ground[];
  marks: string[];
}

export interface Limit {
  route: string;
  label: string;
  carriers: number;
  median_with: number | null;
  median_without: number | null;
  gain: { value: number; interval_90: [number, number] };
  overcome: { what: string; mechanism: string; claims: string[] }[];
  ids: string[];
}

export interface Course {
  regimen: string;
  position: number | null;
  rules: string[];
  verdict: string;
  doses: string;
  orr: Rate;
  pfs: Times;
  os: Times;
  next_therapy: Times;
  brain: Rate;
  brain_months: number;
  severe: Rate;
  events: { term: string; label: string; rate: Rate; given_from: string }[];
  later: [string, string][];
  limits: Limit[];
  ids: string[];
}

export interface Route {
  id: string;
  label: string;
  prior: number | null;
  posterior: number;
  posterior_error: number;
  known: string;
  ids: string[];
  claims: string[];
  overcome_by: string[];
}

export interface MissingItem {
  item: string;
  label: string;
  rules: { effect: string; outcomes: { value: string; changes: string }[] } | null;
  values: { value: string; share: number; pfs: number | null; os: number | null }[];
  difference: number | null;
  mc_error: number | null;
}

export interface PatientAnswer {
  research_use: string;
  refused: boolean;
  advice: {
    refused: boolean;
    gate: { decision: string; says?: string; about?: string; [field: string]: unknown }[];
    options: Option[];
    set_aside: { regimen: string; why: string; grounds: Ground[] }[];
    forbidden: { regimen: string; meaning: string; ground: Ground; lifted_by: string[] }[];
    conflicts: { kind: string; says: string; decided_by: string; how: string; lines: string[]; record: string[] }[];
    undecided: { rule: string; says: string; needs: string[] }[];
    judged: { regimen: string; verdict: string; says: string; rules: string[] }[];
    gaps: string[];
  };
  findings: { place: string; says: string }[];
  refusals: { says: string; items: string[] }[];
  twins: { drawn: number; fitting: number; effective: number; followed: number; members: number } | null;
  routes: Route[];
  courses: Course[];
  not_predicted: { regimen: string; says: string }[];
  missing: MissingItem[];
  sentences: { about: string; text: string; ids: string[] }[];
}

/** Curves of the twins on every option, months. */
export type PatientCurves = Record<string, Record<"pfs" | "os", { time: number[]; survival: number[] }>>;

export interface FormField {
  name: string;
  label: string;
  kind: "choice" | "choices" | "number" | "boolean" | "text" | "list";
  words: string[];
  unit: string;
  low: number | null;
  high: number | null;
  group: string;
  help?: string;
  fields?: FormField[];
}

export interface Template {
  yaml: string;
  fields: FormField[];
  examples: { id: string; title: string; yaml: string }[];
}
