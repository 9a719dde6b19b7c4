/** A job of the server as the page follows it; a reload or a lost connection starts again from the snapshot that comes first. */

import { useEffect, useState } from "preact/hooks";
import { asApiError, get, type ApiError } from "./api";
import type { Job, Partial_ } from "./types";

export interface Followed {
  job: Job | undefined;
  partial: Partial_ | undefined;
  progress: { stage: string; share: number; done: number; of: number } | undefined;
  /** The connection is lost and being made again. */
  lost: boolean;
  error: ApiError | undefined;
}

const NOTHING: Followed = { job: undefined, partial: undefined, progress: undefined, lost: false, error: undefined };

export function isFinal(job: Job | undefined): boolean {
  return job?.state === "done" || job?.state === "failed" || job?.state === "cancelled";
}

/** Whether the result can be read; pictures and tables may still be on their way. */
export function hasResult(job: Job | undefined): boolean {
  return job !== undefined && (job.state === "done" || job.has_result === true);
}

/** Follows a job; `again` changes when it was resumed. */
export function useJob(id: string | null, again = 0): Followed {
  const [state, set] = useState<Followed>(NOTHING);
  useEffect(() => {
    set(NOTHING);
    if (!id) return undefined;
    let open = true;
    let source: EventSource | undefined;
    let timer = 0;
    const read = <T>(e: Event): T => JSON.parse((e as MessageEvent<string>).data) as T;
    const listen = (): void => {
      if (!open) return;
      source = new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);
      source.addEventListener("job", (e) => set((s) => ({ ...s, job: read<Job>(e), lost: false, error: undefined })));
      source.addEventListener("progress", (e) =>
        set((s) => ({ ...s, progress: read<NonNullable<Followed["progress"]>>(e), lost: false })),
      );
      source.addEventListener("partial", (e) => set((s) => ({ ...s, partial: read<Partial_>(e), lost: false })));
      source.addEventListener("result", (e) => set((s) => ({ ...s, job: read<Job>(e), lost: false })));
      source.addEventListener("end", (e) => {
        source?.close();
        set((s) => ({ ...s, job: read<Job>(e), lost: false }));
      });
      source.onerror = () => {
        set((s) => ({ ...s, lost: !isFinal(s.job) }));
        if (source?.readyState !== EventSource.CLOSED) return;
        // refused: ask why, and listen again if the server was only away
        get<Job>(`/jobs/${encodeURIComponent(id)}`).then(
          (job) => {
            set((s) => ({ ...s, job, lost: false }));
            if (!isFinal(job)) timer = window.setTimeout(listen, 1000);
          },
          (e: unknown) => {
            const error = asApiError(e);
            if (error.problem.status === 404) set((s) => ({ ...s, error, lost: false }));
            else timer = window.setTimeout(listen, 1500);
          },
        );
      };
    };
    listen();
    return () => {
      open = false;
      clearTimeout(timer);
      source?.close();
    };
  }, [id, again]);
  return state;
}
