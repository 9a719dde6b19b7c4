/** Addresses of views. */

/** Query text with commas, colons and plus signs left readable. */
export function queryText(query: URLSearchParams): string {
  const text = query.toString().replace(/%2C/g, ",").replace(/%3A/g, ":");
  return text ? `?${text}` : "";
}

export function traceHref(id: string): string {
  return `/evidence/trace?id=${encodeURIComponent(id)}`;
}

/** An entry's key in the trace, where a trial of the search is a study. */
export function traceKey(kind: string, id: string): string {
  return `${kind === "trial" ? "study" : kind}:${id}`;
}

export function entryHref(kind: string, id: string): string {
  return `/evidence/entry/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;
}

export function trialHref(id: string): string {
  return `/trial/${encodeURIComponent(id)}`;
}
