/** A job on its way: progress, stop and resume, and the curves drawing themselves. */

import { useState } from "preact/hooks";
import { asApiError, post, type ApiError } from "../api";
import { KaplanMeier } from "../charts/km";
import { endpointShort, show, thousands } from "../format";
import { isFinal, type Followed } from "../jobs";
import type { Job } from "../types";
import { Failure, Segments } from "../widgets/basic";
import { Num } from "../widgets/source";

const STATES: Record<string, string> = { queued: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

export function JobPanel({ followed, onResumed }: { followed: Followed; onResumed: () => void }) {
  const { job, progress } = followed;
  const [error, setError] = useState<ApiError | undefined>();
  if (followed.error) return <Failure error={followed.error} />;
  if (!job || job.state === "done") return null;
  const source = `run:${job.id}`;
  const share = Math.min(progress?.share ?? job.share ?? 0, 1);
  const act = (what: "cancel" | "resume") => (): void => {
    setError(undefined);
    post<Job>(`/jobs/${encodeURIComponent(job.id)}/${what}`).then(
      () => what === "resume" && onResumed(),
      (e: unknown) => setError(asApiError(e)),
    );
  };
  return (
    <section class="panel" aria-label="Progress" data-source={source}>
      <div class="row between">
        <p role="status">
          <strong>{STATES[job.state]}</strong>
          {job.state === "queued" && job.position ? `, ${job.position} before it` : ""}
          {job.state === "running" && `: ${progress?.stage || job.stage}`}
          {job.state === "running" && progress && progress.of > 0 && (
            <span class="muted">
              {" "}
              {thousands(progress.done)} of {thousands(progress.of)}
            </span>
          )}
          {followed.lost && <span class="chip warn">connection lost, trying again</span>}
        </p>
        <div class="row no-print">
          {!isFinal(job) && (
            <button type="button" onClick={act("cancel")}>
              Cancel
            </button>
          )}
          {(job.state === "cancelled" || job.state === "failed") && (
            <button type="button" class="primary" onClick={act("resume")}>
              Resume
            </button>
          )}
        </div>
      </div>
      <div class="bar" role="progressbar" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(100 * share)} aria-label="Progress of the job">
        <i style={{ transform: `scaleX(${share})` }} />
      </div>
      {job.state === "failed" && <p class="note bad">{job.error || "The job failed."}</p>}
      {job.state === "cancelled" && <p class="small muted">Cancelled. Resume goes on with the same input and seed and ends with the same digest.</p>}
      <Failure error={error} />
    </section>
  );
}

/** What the patients done so far show; every number is provisional. */
export function PartialView({ followed, names }: { followed: Followed; names: Record<string, string> }) {
  const { job, partial } = followed;
  const endpoints = Object.keys(partial?.curves ?? {}).filter((e) => partial?.curves[e]?.length);
  const [asked, set] = useState("pfs");
  if (!partial || !job || !endpoints.length) return null;
  const endpoint = endpoints.includes(asked) ? asked : (endpoints[0] ?? "");
  const source = `run:${job.id}`;
  const hr = partial.hr?.[endpoint] ?? [];
  return (
    <section class="panel" aria-label="So far" data-source={source}>
      <header>
        <h2>
          So far: {thousands(partial.patients)} of {thousands(partial.of)} virtual patients
        </h2>
        {endpoints.length > 1 && <Segments label="Endpoint" value={endpoint} options={endpoints.map((e) => [e, endpointShort(e)] as const)} onChange={set} />}
      </header>
      <KaplanMeier endpoint={endpoint} curves={partial.curves[endpoint] ?? []} labels={names} source={source} live />
      <div class="big small">
        {(partial.rates?.["orr"] ?? []).map((r) => (
          <div key={r.arm}>
            <Num source={source} about="Response rate so far">
              <strong>{show(r.value, "rate")}</strong>
            </Num>
            <span>respond, {names[r.arm] ?? r.arm}</span>
          </div>
        ))}
        {hr.map((h) => (
          <div key={h.experimental}>
            <Num source={source} about="Hazard ratio so far">
              <strong>{show(h.hr, "hr")}</strong>
            </Num>
            <span>hazard ratio, {names[h.experimental] ?? h.experimental}</span>
          </div>
        ))}
      </div>
    </section>
  );
}
