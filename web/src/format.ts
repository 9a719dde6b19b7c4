/** Numbers and names for reading. Rates come as fractions, times in months. */

export type Kind = "rate" | "median" | "hr" | "number";

/** What is missing is a dash; a median that is not reached says so. */
export function show(x: number | null | undefined, kind: Kind = "number"): string {
  if (x === null || x === undefined || !Number.isFinite(x)) return kind === "median" ? "not reached" : "–";
  if (kind === "rate") return `${(100 * x).toFixed(1)} %`;
  if (kind === "hr") return x.toFixed(2);
  if (kind === "median") return x.toFixed(1);
  return compact(x);
}

/** Three digits, thousands apart, the minus as a sign of its own. */
export function compact(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const a = Math.abs(x);
  if (x === 0) return "0";
  if (a >= 1000) return thousands(x);
  if (a < 0.001) return x.toExponential(1).replace("-", "−").replace("e", " × 10^").replace("+", "");
  const digits = a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3;
  return minus(x.toFixed(digits));
}

/** Whole numbers with thousands apart by a thin space. */
export function thousands(x: number): string {
  const text = Math.round(Math.abs(x)).toString().replace(/\B(?=(\d{3})+$)/g, " ");
  return x < 0 ? `−${text}` : text;
}

export function signed(x: number, digits = 3): string {
  if (!Number.isFinite(x)) return "–";
  return x < 0 ? `−${Math.abs(x).toFixed(digits)}` : `+${x.toFixed(digits)}`;
}

export function minus(text: string): string {
  return text.replace("-", "−");
}

/** An interval without repeating the per cent sign. */
export function interval(low: number | null | undefined, high: number | null | undefined, kind: Kind): string {
  const l = show(low, kind).replace(" %", "");
  const h = show(high, kind).replace(" %", "");
  return `${l} to ${h}`;
}

export const ENDPOINTS: Record<string, string> = {
  orr: "response rate",
  cbr: "clinical benefit",
  pfs: "progression-free survival",
  ttp: "time to progression",
  os: "overall survival",
  dor: "duration of response",
  dfs: "disease-free survival",
  time_to_cns: "time to CNS metastases",
  cns_orr: "response of brain metastases",
  cns_incidence: "CNS metastases by progression",
  cns_first: "CNS as first site",
  pcr: "pathological complete response",
};

const SHORT: Record<string, string> = {
  cns_orr: "CNS response",
  cns_incidence: "CNS incidence",
  cns_first: "CNS first",
  time_to_cns: "time to CNS",
};

export function endpointShort(e: string): string {
  return SHORT[e] ?? e.toUpperCase();
}

const SYMBOLS: Record<string, string> = {
  t_dm1: "T-DM1", pik3ca: "PIK3CA", pten: "PTEN", er: "ER", ecog: "ECOG", her2: "HER2", her3: "HER3", egfr: "EGFR", igf1r: "IGF1R",
  met: "MET", cns: "CNS", til: "TIL", p95her2: "p95HER2", pdl1: "PD-L1", akt1: "AKT1", inpp4b: "INPP4B", epha2: "EphA2", src: "Src",
  fcgr3a: "FCGR3A", ps6: "pS6", pi3k: "PI3K", beta2_ar: "β2-adrenergic receptor", cyclin_e: "cyclin E", mtor: "mTOR", igf1r_inhibitor: "IGF1R inhibitor",
  pi3k_inhibitor: "PI3K inhibitor", mtor_inhibitor: "mTOR inhibitor", anti_vegf: "VEGF antibody",
};

/** An identifier as words: `adjuvant_chemotherapy` is "adjuvant chemotherapy". */
export function words(id: string): string {
  return SYMBOLS[id] ?? id.split(/[\s_-]+/).map((w) => SYMBOLS[w] ?? w).join(" ");
}

/** The first letter a capital, unless it belongs to a symbol as in p95HER2 or mTOR. */
export function title(text: string): string {
  if (/^[a-z][A-Z0-9]/.test(text)) return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A regimen id as a list: `docetaxel+t_dm1` is "docetaxel + T-DM1". */
export function regimen(id: string): string {
  return id.split("+").map((x) => words(x.trim())).join(" + ");
}

export function duration(hours: number): string {
  if (hours < 48) return `${Number(hours.toFixed(1))} h`;
  return `${Number((hours / 24).toFixed(1))} days`;
}

/** Numbers of a hundred that add up to a hundred, by largest remainders. */
export function ofHundred(shares: readonly number[]): number[] {
  const total = shares.reduce((a, b) => a + b, 0);
  if (total <= 0) return shares.map(() => 0);
  const exact = shares.map((x) => (100 * x) / total);
  const floors = exact.map(Math.floor);
  const order = exact.map((x, i) => [x - (floors[i] ?? 0), i] as const).sort((a, b) => b[0] - a[0]);
  let left = 100 - floors.reduce((a, b) => a + b, 0);
  for (const [, i] of order) {
    if (left <= 0) break;
    floors[i] = (floors[i] ?? 0) + 1;
    left -= 1;
  }
  return floors;
}
