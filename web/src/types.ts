/** Shapes of the answers of the server, as its OpenAPI description states them. */

export interface Run {
  id: string;
  digest: string;
  version: string;
  posterior?: string;
  seed?: number;
}

export interface Place {
  source: string;
  line_start?: number | null;
  line_end?: number | null;
  place?: string;
  label: string;
}

export interface Problem {
  title: string;
  status: number;
  detail: string;
  findings?: { place: string; says: string }[];
}

export interface About {
  version: string;
  posterior: string;
  notice: string;
  limits: Record<string, number>;
  counts: Record<string, number>;
  sources: { id: string; title: string; authors?: string; year?: number; doi?: string }[];
}

// ---- evidence

export interface Hit {
  kind: string;
  id: string;
  title: string;
  places: Place[];
  user: boolean;
  claim_kind?: string;
  level?: string;
  agents?: string[];
  mechanisms?: string[];
  [field: string]: unknown;
}

export interface Search {
  query: string;
  total: number;
  offset: number;
  suggestion: string;
  hidden: number;
  results: Hit[];
}

export interface Facet {
  value: string;
  label?: string;
  count: number;
}

export type Facets = Record<string, Facet[]>;

export interface TraceNode {
  key: string;
  kind: string;
  id: string;
  label: string;
  user: boolean;
  why?: string;
}

export interface TraceSide {
  nodes: TraceNode[];
  links: { lower: string; upper: string; why: string }[];
  cut: boolean;
}

export interface Trace {
  found: TraceNode[];
  rests_on: TraceSide | null;
  supports: TraceSide | null;
}

export interface EvidenceEntry {
  kind: string;
  id: string;
  title: string;
  user: boolean;
  places: Place[];
  entry: Record<string, unknown>;
  rests_on: TraceNode[];
  supports: TraceNode[];
}

export interface ConflictRow {
  id: string;
  about: string;
  kind: string;
  statement_1: string;
  place_1: Place;
  statement_2: string | null;
  place_2: Place | null;
  likely_resolution: string;
  reason: string;
}

export interface MetaStudy {
  study: string;
  name: string;
  experimental: string;
  control: string;
  endpoint: string;
  line?: string;
  hr: number;
  ci_low: number;
  ci_high: number;
  weight: number;
  approximated?: boolean;
  places?: string;
  basis?: string;
  values?: string[];
}

export interface Meta {
  endpoint: string;
  contrast: string;
  caveat?: string;
  studies: MetaStudy[];
  pooled: {
    method: string;
    hr: number;
    ci_low: number;
    ci_high: number;
    p?: number | null;
    prediction_low?: number | null;
    prediction_high?: number | null;
    tau2?: number | null;
    i2?: number | null;
    q?: number | null;
    n_studies: number;
  } | null;
  left_out: { study: string; reason: string }[];
}

// ---- pathway

export interface Condition {
  cell: string;
  drugs?: Record<string, number | string>;
  switches?: Record<string, number>;
  ligands?: Record<string, number>;
  where?: string;
  days?: number;
}

export interface LayoutBox {
  id: string;
  kind: string;
  label: string;
  row: number;
  x: number;
  y: number;
  width: number;
  height: number;
  about: string;
  claims?: string[];
  trace: string | null;
}

export interface LayoutLink {
  id: string;
  source: string;
  target: string;
  sign: number;
  points: [number, number][];
  about: string;
  claims: string[];
}

export interface LayoutLoop {
  id: string;
  label: string;
  driver: string;
  target: string;
  sign: number;
  about: string;
  claims: string[];
}

export interface LayoutDrug {
  id: string;
  agent: string;
  label: string;
  x: number;
  y: number;
  width: number;
  height: number;
  targets: { target: string; sign: number; about: string; claims?: string[] }[];
  trace?: string | null;
}

export interface NetworkLayout {
  width: number;
  height: number;
  boxes: LayoutBox[];
  links: LayoutLink[];
  loops: LayoutLoop[];
  drugs: LayoutDrug[];
}

export interface StateItem {
  value: number;
  untreated: number;
  unit: string;
  shade: number | null;
}

export interface DrugLink {
  source: string;
  target: string;
  sign: number;
  strength: number;
  about: string;
}

export interface NetworkState {
  title: string;
  days: number;
  items: Record<string, StateItem>;
  links: Record<string, number>;
  drug_links: DrugLink[];
  loops: Record<string, number>;
  net_growth: number;
  untreated_growth: number;
  run: Run;
  milliseconds?: number;
  other?: NetworkState | null;
}

export interface NetworkCourse {
  days: number[];
  items: Record<string, number[]>;
  shades: Record<string, number[] | null>;
  links: Record<string, number[]>;
  loops: Record<string, number[]>;
  net_growth: number[];
  run: Run;
}

export interface CellRow {
  id: string;
  name: string;
  describes: string;
  her2_amplified: boolean;
}

export interface AgentRow {
  id: string;
  name: string;
  kind: string;
  targets?: string[];
  acts_on_cells: boolean;
  in_trials: boolean;
  clinical: number | null;
}

export interface SwitchRow {
  id: string;
  label: string;
  mechanism: string;
  graded: boolean;
  settable: boolean;
  why: string;
  changes: string;
  not_a_switch: string;
}

export interface AttributeRow {
  id: string;
  label: string;
  kind: string;
  unit: string;
  default: number;
  low: number | null;
  high: number | null;
}

// ---- trials

export interface TrialRow {
  id: string;
  title: string;
  setting: string;
  size: number;
  arms: { id: string; label: string }[];
  control: string | null;
  study: string | null;
  endpoints: string[];
  primary: string;
  line: string;
  classes: string[];
}

export interface PublishedRow {
  id: string;
  arm: string | null;
  contrast: { experimental: string; control: string } | null;
  endpoint: string;
  statistic: string;
  value: number | null;
  unit: string;
  ci_low: number | null;
  ci_high: number | null;
  printed: string;
  place: Place;
  role: string;
}

export interface TrialDetail extends TrialRow {
  yaml: string;
  design: Record<string, unknown>;
  published: PublishedRow[];
  hidden: number;
}

/** What a population may set, with its usual value. */
export interface PopulationValue {
  id: string;
  label: string;
  value: number;
  unit: string;
  quality: string;
  is_share: boolean;
  is_marker: boolean;
  trace: string;
}

export interface TrialOptions {
  agents: { id: string; name: string; kind: string }[];
  regimens: { id: string; title: string; components: { agent: string; dose: string }[] }[];
  populations: { id: string; says: string; values: Record<string, number> }[];
  values: PopulationValue[];
  endpoints: Record<string, string[]>;
  subgroups: string[];
  settings: string[];
}

export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
  mc_error?: number | null;
  published: number | null;
  published_low?: number | null;
  published_high?: number | null;
  source?: string | null;
  role?: string | null;
  uncertainty?: { parameters: number; patients: number; events_and_scans: number; between_trials: number };
}

export interface Curve {
  arm: string;
  time: number[];
  survival: number[];
  low?: number[];
  high?: number[];
  at_risk?: { time: number[]; n: number[] };
  median?: number | null;
  n?: number;
  events?: number;
}

export interface Contrast {
  endpoint: string;
  experimental: string;
  control: string;
  hr: Estimate;
}

export interface AdverseRow {
  term: string;
  grade_3_4: number | null;
  any_grade: number | null;
  published_grade_3_4: number | null;
  published_any_grade: number | null;
  discontinued: number | null;
  given_from: string;
}

export interface TrialAnswer {
  trial: string;
  seed: number;
  patients: number;
  trial_size: number;
  failed_patients: number[];
  arms: ({ name: string; label: string; n: number } & Record<string, Estimate | string | number>)[];
  contrasts: Contrast[];
  null_model: {
    arms: ({ name: string } & Record<string, number | string | null>)[];
    contrasts: { endpoint: string; experimental: string; control: string; hr: number | null }[];
  };
  adverse_events: Record<string, AdverseRow[]>;
  baseline: { name: string; recipe: number | null; drawn: number | null; source: string }[];
  misses: string[];
  digest: string;
  elapsed_s: number;
  notice: string;
}

export interface SwimmerPatient {
  [field: string]: unknown;
}

export interface ForestRow {
  subgroup: string;
  n: number;
  events: number;
  hr: number | null;
  low: number | null;
  high: number | null;
  true_hr: number | null;
}

export interface TrialResult {
  kind: "trial";
  run: Run;
  result: TrialAnswer;
  design: Record<string, unknown>;
  arms: { id: string; label: string }[];
  curves: Record<string, Curve[]>;
  trial_curves?: Record<string, Curve[]>;
  waterfall?: { arm: string; patients: { change: number; response: string }[] }[];
  swimmer?: { arm: string; patients: SwimmerPatient[] }[];
  spider?: { arm: string; patients: { months: number[]; change: number[] }[] }[];
  forest?: { experimental: string; control: string; endpoint: string; rows: ForestRow[] }[];
  published: PublishedRow[];
}

/** The first screen in one answer. */
export interface First {
  trial: TrialResult;
  network: { condition: Condition; state: NetworkState };
  precomputed: string;
}

// ---- jobs

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  kind: string;
  title: string;
  state: JobState;
  stage: string;
  share: number;
  position: number | null;
  attempt: number;
  has_result?: boolean;
  has_files?: boolean;
  created: string;
  started: string | null;
  finished: string | null;
  seconds: number | null;
  error: string;
  digest: string;
  input: Record<string, unknown>;
}

export interface Partial_ {
  patients: number;
  of: number;
  curves: Record<string, Curve[]>;
  rates?: Record<string, { arm: string; value: number; low?: number; high?: number }[]>;
  medians?: Record<string, { arm: string; value: number | null }[]>;
  hr?: Record<string, { experimental: string; control: string; hr: number | null; low?: number | null; high?: number | null }[]>;
}

export interface JobFile {
  name: string;
  type: string;
  what: string;
}

// ---- scoreboard

export interface ValidationEndpoint {
  endpoint: string;
  statistic: string;
  arm?: string;
  contrast?: { experimental: string; control: string };
  subgroup?: string;
  unit: string;
  predicted: number | null;
  low50: number | null;
  high50: number | null;
  low80?: number | null;
  high80?: number | null;
  low90: number | null;
  high90: number | null;
  published: number | null;
  published_low?: number | null;
  published_high?: number | null;
  inside90: boolean | null;
  role: string;
  figure?: string;
  source?: string;
  corrected?: boolean;
  note?: string;
  null_model?: number | null;
  left_out?: { predicted: number | null; low90: number | null; high90: number | null };
}

export interface ValidationTrial {
  id: string;
  title: string;
  role: string;
  size: number;
  failed_patients: number;
  endpoints: ValidationEndpoint[];
  digest: string;
}

export interface ScoreRow {
  says: string;
  value: number | null;
  n: number;
  unit: string;
  better: string;
  low95?: number;
  high95?: number;
  nominal?: number;
  beats?: Record<string, boolean | null>;
  versus?: Record<string, { model: number | null; baseline: number | null; n: number }>;
}

export interface Validation {
  trials: ValidationTrial[];
  not_run: { id: string; error: string }[];
  scores: Record<string, Record<string, ScoreRow>>;
  misses: { trial: string; endpoint: string; who: string; distance: number | null; reason: string }[];
  /** Whether the run looked at held-out figures; whether they are shown is another matter. */
  held_out: boolean;
  /** Held-out figures the server does not show. */
  hidden?: number;
  settings: Record<string, number>;
  version: string;
  posterior_digest: string;
  digest: string;
  notice: string;
}
