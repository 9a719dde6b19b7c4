/** Requests to the server this page came from; no other host is ever asked. */

import { useEffect, useState } from "preact/hooks";
import type { Problem } from "./types";

/** What went wrong, in a line for the reader. */
export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail || problem.title);
  }
}

async function answer<T>(response: Response): Promise<T> {
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  let problem: Problem = {
    title: response.statusText || "No answer",
    status: response.status,
    detail: `The server answered ${response.status} ${response.statusText}`.trim(),
  };
  if ((response.headers.get("content-type") ?? "").includes("json")) problem = { ...problem, ...((await response.json()) as Problem) };
  const after = Number(response.headers.get("retry-after"));
  throw new ApiError(problem, after > 0 ? after : null);
}

function unreachable(error: unknown): never {
  if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) throw error;
  throw new ApiError({
    title: "No connection",
    status: 0,
    detail: "The server does not answer. Is `her2 serve` still running? The page goes on by itself when it is back.",
  });
}

const kept = new Map<string, Promise<unknown>>();
/** Kept answers that are there already: a view that asks for one again shows it at once. */
const settled = new Map<string, unknown>();

/** An answer that came with the page itself. */
export function seed(path: string, text: string | null | undefined): void {
  if (!text) return;
  const answer: unknown = JSON.parse(text);
  settled.set(path, answer);
  kept.set(path, Promise.resolve(answer));
}

/** GET; `keep` holds what does not change while the page is open. */
export function get<T>(path: string, options: { keep?: boolean; signal?: AbortSignal } = {}): Promise<T> {
  const old = options.keep ? (kept.get(path) as Promise<T> | undefined) : undefined;
  if (old) return old;
  const made = fetch(`/api${path}`, { signal: options.signal ?? null, headers: { accept: "application/json" } }).then(
    (r) => answer<T>(r),
    unreachable,
  );
  if (options.keep) {
    kept.set(path, made);
    made.then(
      (answer) => settled.set(path, answer),
      () => kept.delete(path),
    );
  }
  return made;
}

export function post<T>(path: string, body: unknown = {}, signal?: AbortSignal, headers: Record<string, string> = {}): Promise<T> {
  return fetch(`/api${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...headers },
    body: JSON.stringify(body),
    signal: signal ?? null,
  }).then((r) => answer<T>(r), unreachable);
}

export function remove(path: string): Promise<void> {
  return fetch(`/api${path}`, { method: "DELETE" }).then((r) => answer<void>(r), unreachable);
}

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  /** Whether `data` belongs to an earlier question. */
  busy: boolean;
}

/** What a request answers; the last answer stays while the next is under way. */
export function useAsked<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, known?: (key: string) => T | undefined): Loaded<T> {
  const there = key === null ? undefined : known?.(key);
  const [state, set] = useState<Loaded<T>>({ data: there, error: undefined, busy: key !== null && there === undefined });
  useEffect(() => {
    if (key === null) {
      set({ data: undefined, error: undefined, busy: false });
      return undefined;
    }
    const now = known?.(key);
    if (now !== undefined) {
      set((s) => (s.data === now && !s.busy ? s : { data: now, error: undefined, busy: false }));
      return undefined;
    }
    const stop = new AbortController();
    set((s) => ({ ...s, busy: true }));
    ask(stop.signal).then(
      (data) => !stop.signal.aborted && set({ data, error: undefined, busy: false }),
      (e: unknown) => {
        if (!stop.signal.aborted) set((s) => ({ data: s.data, error: asApiError(e), busy: false }));
      },
    );
    return () => stop.abort();
    // the key names everything that `ask` depends on
  }, [key]);
  return state;
}

export function useGet<T>(path: string | null, keep = false): Loaded<T> {
  return useAsked<T>(path, (signal) => get<T>(path as string, keep ? { keep } : { signal }), keep ? (key) => settled.get(key) as T | undefined : undefined);
}

export function asApiError(e: unknown): ApiError {
  return e instanceof ApiError ? e : new ApiError({ title: "Error", status: 0, detail: e instanceof Error ? e.message : String(e) });
}

/** A key that makes a job asked for twice the same job; on hosts without a secure context from plain random numbers. */
export function newKey(): string {
  if ("randomUUID" in crypto) return crypto.randomUUID();
  return [...(crypto as Crypto).getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
