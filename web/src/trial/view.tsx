/** A trial: choose or edit it, run it, see it beside the published figures. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { asApiError, get, newKey, post, useGet, type ApiError } from "../api";
import { download } from "../charts/frame";
import { ENDPOINTS, interval, thousands, title } from "../format";
import { hasResult, isFinal, useJob } from "../jobs";
import { go, setQuery, useRoute } from "../route";
import type { First, Job, TrialDetail, TrialOptions, TrialResult, TrialRow } from "../types";
import { Failure, Select, Tabs, TextField, Wait } from "../widgets/basic";
import { Num, PlaceButton } from "../widgets/source";
import type { Draft } from "./document";
import { TrialResultView } from "./result";
import { JobPanel, PartialView } from "./running";

const SETTINGS: Record<string, string> = { metastatic: "Metastatic", neoadjuvant: "Neoadjuvant", adjuvant: "Adjuvant" };

/** The parts that need the YAML library, fetched when the file is first edited. */
type Editing = typeof import("./document") & typeof import("./form");
let loaded: Editing | undefined;
const loadEditing = async (): Promise<Editing> => (loaded ??= { ...(await import("./document")), ...(await import("./form")) });

function draftKey(id: string): string {
  return `draft:${id}`;
}

function stored(id: string): string | null {
  try {
    return sessionStorage.getItem(draftKey(id));
  } catch {
    return null;
  }
}

function store(id: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(draftKey(id));
    else sessionStorage.setItem(draftKey(id), text);
  } catch {
    // without storage a draft lives as long as the page
  }
}

export function TrialView() {
  const { path, query } = useRoute();
  const id = path[1] ?? "cleopatra";
  const jobId = query.get("job");
  const list = useGet<{ trials: TrialRow[] }>("/trials", true);
  const detail = useGet<TrialDetail>(`/trials/${encodeURIComponent(id)}`, true);
  const [again, setAgain] = useState(0);
  const followed = useJob(jobId, again);
  const [result, setResult] = useState<TrialResult | undefined>();
  const [resultError, setResultError] = useState<ApiError | undefined>();
  const ready = hasResult(followed.job);
  const about = detail.data?.id === id ? detail.data : undefined;
  useEffect(() => {
    setResult(undefined);
    setResultError(undefined);
    if (!jobId && id === "cleopatra") {
      get<First>("/first", { keep: true }).then((f) => setResult(f.trial), () => undefined);
      return undefined;
    }
    if (!jobId || !ready) return undefined;
    let alive = true;
    get<TrialResult>(`/jobs/${encodeURIComponent(jobId)}/result`, { keep: true }).then(
      (r) => alive && setResult(r),
      (e: unknown) => alive && setResultError(asApiError(e)),
    );
    return () => {
      alive = false;
    };
  }, [jobId, ready, id]);
  const groups = useMemo(() => {
    const all = list.data?.trials ?? [];
    return [...new Set(all.map((t) => t.setting))].map((s) => [s, all.filter((t) => t.setting === s)] as const);
  }, [list.data]);
  const names = Object.fromEntries((about?.arms ?? []).map((a) => [a.id, a.label]));
  return (
    <>
      <div class="head">
        <div>
          <h1>{about?.title ?? title(id.replace(/_/g, " "))}</h1>
          {about && (
            <p>
              {SETTINGS[about.setting] ?? about.setting}, <Num source={`record:${about.study ? `study:${about.study}` : `trial:${about.id}`}`} about="Published size">{thousands(about.size)}</Num> patients, primary endpoint{" "}
              {ENDPOINTS[about.primary] ?? about.primary}.
            </p>
          )}
        </div>
        <Select label="Trial" value={id} onChange={(v) => go(`/trial/${encodeURIComponent(v)}`)}>
          {!list.data && <option value={id}>{id}</option>}
          {groups.map(([s, trials]) => (
            <optgroup key={s} label={SETTINGS[s] ?? s}>
              {trials.map((t) => (
                <option key={t.id} value={t.id}>
                  {t.title}
                </option>
              ))}
            </optgroup>
          ))}
        </Select>
      </div>
      <Failure error={detail.error} />
      <div class="grid trial-grid">
        <div class="stack no-print">{about && <RunPanel key={id} detail={about} jobInput={followed.job?.input} onStarted={(job) => setQuery({ job: job.id, part: null })} />}</div>
        <div class="stack">
          <JobPanel followed={followed} onResumed={() => setAgain((n) => n + 1)} />
          {!result && <PartialView followed={followed} names={names} />}
          <Failure error={resultError} />
          {result && <TrialResultView result={result} jobId={jobId} hasFiles={followed.job?.state === "done"} />}
          {!result && jobId && ready && !resultError && <Wait>Loading the result …</Wait>}
          {!result && !jobId && about && <Published detail={about} />}
          {jobId && isFinal(followed.job) && (
            <p class="no-print">
              <button type="button" class="link" onClick={() => setQuery({ job: null, part: null })}>
                Leave this run
              </button>
            </p>
          )}
        </div>
      </div>
    </>
  );
}

function Published({ detail }: { detail: TrialDetail }) {
  const main = detail.published.filter((v) => ["orr", "pfs", "os", "ttp", "dfs", "pcr", "cbr"].includes(v.endpoint) && v.statistic !== "n");
  return (
    <section class="panel" aria-label="Published figures">
      <h2>Published, before you run it</h2>
      {main.length === 0 ? (
        <p class="muted">
          {detail.study ? "The record shows no figure of this trial here." : "No published study is named in this trial file: it predicts only."}
        </p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>endpoint</th>
                <th>of</th>
                <th class="n">printed</th>
                <th>where</th>
              </tr>
            </thead>
            <tbody>
              {main.slice(0, 40).map((v) => (
                <tr key={v.id}>
                  <td>
                    {ENDPOINTS[v.endpoint] ?? v.endpoint} <span class="muted">{v.statistic.replace(/_/g, " ")}</span>
                  </td>
                  <td>{v.arm ? (detail.arms.find((a) => a.id === v.arm)?.label ?? v.arm) : v.contrast ? "contrast" : "all"}</td>
                  <td class="n">
                    <Num source={`record:${v.id}`} about={`Printed ${v.endpoint} ${v.statistic}`}>
                      {v.printed}
                      {v.ci_low !== null && v.ci_high !== null && <span class="sub">{interval(v.ci_low, v.ci_high, "number")}</span>}
                    </Num>
                  </td>
                  <td>
                    <PlaceButton where={v.place.label} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {detail.hidden > 0 && (
        <p class="note" data-source={`record:study:${detail.study ?? ""}`}>
          {detail.hidden} figures of this study are held out for validation and are not shown here.
        </p>
      )}
    </section>
  );
}

function RunPanel({ detail, jobInput, onStarted }: { detail: TrialDetail; jobInput: Record<string, unknown> | undefined; onStarted: (job: Job) => void }) {
  const { query } = useRoute();
  const tab = query.get("edit") === "yaml" ? "yaml" : query.get("edit") === "form" ? "form" : "run";
  const ofJob = typeof jobInput?.["yaml"] === "string" ? (jobInput["yaml"] as string) : null;
  const [text, setText] = useState(() => ofJob ?? stored(detail.id) ?? detail.yaml);
  const [touched, setTouched] = useState(false);
  useEffect(() => {
    // after a reload the file of the run is shown, unless a newer draft was begun
    if (ofJob && !touched && stored(detail.id) === null) setText(ofJob);
  }, [ofJob]);
  const [editing, setEditing] = useState<Editing | undefined>(loaded);
  const options = useGet<TrialOptions>(tab === "run" ? null : "/trials/options", true);
  const [patients, setPatients] = useState(() => query.get("patients") ?? "2000");
  const [seed, setSeed] = useState(() => query.get("seed") ?? "1");
  const [trials, setTrials] = useState("300");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  const [checked, setChecked] = useState<"" | "ok" | ApiError>("");
  const edited = text.trim() !== detail.yaml.trim();
  useEffect(() => {
    if (tab !== "run" && !editing) void loadEditing().then(setEditing);
  }, [tab, editing]);
  const change = (next: string): void => {
    setTouched(true);
    setText(next);
    store(detail.id, next === detail.yaml ? null : next);
  };
  useEffect(() => {
    if (!edited) {
      setChecked("");
      return undefined;
    }
    const stop = new AbortController();
    const timer = setTimeout(() => {
      post("/trials/check", { yaml: text }, stop.signal).then(
        () => setChecked("ok"),
        (e: unknown) => !stop.signal.aborted && setChecked(asApiError(e)),
      );
    }, 350);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, edited]);
  const run = (): void => {
    setBusy(true);
    setError(undefined);
    const what = edited ? { yaml: text } : { trial: detail.id };
    post<Job>("/jobs", { kind: "trial", ...what, patients: Number(patients), trials: Number(trials), seed: Number(seed) }, undefined, { "idempotency-key": newKey() })
      .then(onStarted, (e: unknown) => setError(asApiError(e)))
      .finally(() => setBusy(false));
  };
  const draft: Draft | undefined = editing?.read(text);
  return (
    <section class="panel" aria-label="Run and edit">
      <Tabs
        label="Trial"
        value={tab}
        options={[
          ["run", "Run"],
          ["form", "Edit"],
          ["yaml", "YAML"],
        ]}
        onChange={(t) => setQuery({ edit: t === "run" ? null : t })}
      >
        {tab === "run" && <Arms detail={detail} edited={edited} />}
        {tab === "form" &&
          (draft && editing ? (
            draft.error ? (
              <p class="note bad">The YAML cannot be read: {draft.error}</p>
            ) : (
              <editing.TrialForm draft={draft} options={options.data} onChange={change} />
            )
          ) : (
            <Wait />
          ))}
        {tab === "yaml" && (
          <div class="field" data-source="user">
            <label for="yaml">Trial file</label>
            <textarea id="yaml" rows={26} spellcheck={false} value={text} onInput={(e) => change(e.currentTarget.value)} />
          </div>
        )}
      </Tabs>
      {edited && (
        <div class="row between">
          <span class="chip warn">edited</span>
          <button
            type="button"
            class="link"
            onClick={() => {
              store(detail.id, null);
              setText(detail.yaml);
            }}
          >
            Back to the file of the record
          </button>
        </div>
      )}
      {edited && checked === "ok" && <p class="small good-text" role="status">The file can be run.</p>}
      {edited && checked !== "" && checked !== "ok" && <Failure error={checked} />}
      <div class="fields run-fields">
        <TextField label="Virtual patients" type="number" min={50} max={20000} step="any" value={patients} onChange={setPatients} />
        <TextField label="Trials drawn" type="number" min={0} max={2000} step="any" value={trials} onChange={setTrials} />
        <TextField label="Seed" type="number" min={0} step={1} value={seed} onChange={setSeed} />
      </div>
      <div class="row">
        <button type="button" class="primary" disabled={busy || (edited && checked !== "ok" && checked !== "")} onClick={run}>
          {busy ? "Starting …" : "Run the trial"}
        </button>
        {edited && (
          <button type="button" onClick={() => download(`${detail.id}_edited.yaml`, new Blob([text], { type: "text/yaml" }))}>
            Save the file
          </button>
        )}
      </div>
      <Failure error={error} />
    </section>
  );
}

function Arms({ detail, edited }: { detail: TrialDetail; edited: boolean }) {
  return (
    <div class="stack">
      <dl class="facts" data-source={`record:trial:${detail.id}`}>
        {detail.arms.map((a) => (
          <>
            <dt key={`${a.id}t`}>{a.id === detail.control ? "control" : "arm"}</dt>
            <dd key={a.id}>{a.label}</dd>
          </>
        ))}
      </dl>
      {!edited && <p class="small muted">Change arms, doses, patients or endpoints under Edit, or the whole file under YAML. The form and the text are the same file.</p>}
    </div>
  );
}
