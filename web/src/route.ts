/** The address is the state: a path for the view, a query for what is chosen in it. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { queryText } from "./links";

export interface Route {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

const listeners = new Set<() => void>();
let current: Route = read();

function read(): Route {
  return {
    path: location.pathname.split("/").filter(Boolean).map(decodeURIComponent),
    query: new URLSearchParams(location.search),
  };
}

function tell(): void {
  current = read();
  for (const f of listeners) f();
}

addEventListener("popstate", tell);

/** Show another address. `replace` changes the state of the view without a step in the history. */
export function go(to: string, replace = false): void {
  if (to === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  tell();
  if (!replace) {
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }
}

export function useRoute(): Route {
  const [route, set] = useState(current);
  useEffect(() => {
    const f = (): void => set(current);
    listeners.add(f);
    f();
    return () => void listeners.delete(f);
  }, []);
  return route;
}

/** Change parts of the query; null or the empty text takes a part away. */
export function setQuery(parts: Record<string, string | null>): void {
  const query = new URLSearchParams(location.search);
  for (const [k, v] of Object.entries(parts)) {
    if (v === null || v === "") query.delete(k);
    else query.set(k, v);
  }
  go(location.pathname + queryText(query), true);
}

/** One part of the query as a state. */
export function useQuery(name: string, missing = ""): [string, (value: string) => void] {
  const { query } = useRoute();
  const value = query.get(name) ?? missing;
  const set = useCallback((v: string) => setQuery({ [name]: v === missing ? null : v }), [name, missing]);
  return [value, set];
}
