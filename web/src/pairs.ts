/** Names and numbers in one part of the address. */

/** `a:1,b:0.5` as names and numbers; what is no number is left as a word. */
export function readPairs(text: string): Record<string, number | string> {
  const out: Record<string, number | string> = {};
  for (const part of text.split(",")) {
    const [name, value] = part.split(":");
    if (!name) continue;
    const x = Number(value);
    out[name] = value !== undefined && value !== "" && Number.isFinite(x) ? x : (value ?? "");
  }
  return out;
}

export function writePairs(pairs: Readonly<Record<string, number | string>>): string {
  return Object.entries(pairs)
    .map(([k, v]) => `${k}:${typeof v === "number" ? Number(v.toPrecision(4)) : v}`)
    .join(",");
}
