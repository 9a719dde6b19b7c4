/** Addresses of views. */

export function traceHref(id: string): string {
  return `/evidence/trace?id=${encodeURIComponent(id)}`;
}

export function entryHref(kind: string, id: string): string {
  return `/evidence/entry/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;
}

export function trialHref(id: string): string {
  return `/trial/${encodeURIComponent(id)}`;
}
