/** The state of a condition, asked anew as sliders move: one request at a time, always the newest condition next. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asApiError, post, type ApiError } from "../api";
import type { Condition, NetworkCourse, NetworkState } from "../types";
import { ADAPTED, asked, FRAMES } from "./condition";

export interface Live {
  state: NetworkState | undefined;
  course: NetworkCourse | undefined;
  error: ApiError | undefined;
}

export function useLive(condition: Condition | null, withCourse = true): Live {
  const [live, set] = useState<Live>({ state: undefined, course: undefined, error: undefined });
  const wanted = useRef<string | null>(null);
  const busy = useRef(false);
  const key = condition ? JSON.stringify(asked(condition, ADAPTED)) : null;
  useEffect(() => {
    wanted.current = key;
    if (key === null) {
      set({ state: undefined, course: undefined, error: undefined });
      return undefined;
    }
    const next = (): void => {
      const now = wanted.current;
      if (busy.current || now === null) return;
      busy.current = true;
      post<NetworkState>("/network/state", JSON.parse(now))
        .then(
          (state) => set((s) => ({ ...s, state, error: undefined, course: now === wanted.current ? s.course : undefined })),
          (e: unknown) => set((s) => ({ ...s, error: asApiError(e) })),
        )
        .finally(() => {
          busy.current = false;
          if (wanted.current !== now) next();
        });
    };
    set((s) => (s.course ? { ...s, course: undefined } : s));
    next();
    if (!withCourse) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      post<NetworkCourse>("/network/course", { ...JSON.parse(key), days_shown: FRAMES }, stop.signal).then(
        (course) => wanted.current === key && set((s) => ({ ...s, course })),
        () => undefined, // the map then shows the adapted state only; the state's own request reports what is wrong
      );
    }, 250);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, withCourse]);
  return live;
}
