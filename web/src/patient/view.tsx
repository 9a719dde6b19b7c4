/** A patient: a case in a form, as YAML or as a bundle; the answer is a job, which can be deleted. */

import { useEffect, useState } from "preact/hooks";
import { asApiError, get, newKey, post, remove, useGet, type ApiError } from "../api";
import { regimen } from "../format";
import { hasResult, isFinal, useJob } from "../jobs";
import { mapHref, patientCell } from "../pathway/patient_cell";
import { go, setQuery, useRoute } from "../route";
import type { Draft } from "../trial/document";
import { JobPanel } from "../trial/running";
import type { AgentRow, Job, Run } from "../types";
import { Failure, Select, Tabs, TextField, Wait } from "../widgets/basic";
import { PatientResult } from "./result";
import { SequenceResult, type SequenceAnswer } from "./sequence";
import type { PatientAnswer, PatientCurves, Template } from "./types";

type Editing = typeof import("../trial/document") & typeof import("./form");
let loaded: Editing | undefined;

type Answered = { kind: "patient"; run: Run; result: PatientAnswer; curves?: PatientCurves } | { kind: "sequence"; run: Run; result: SequenceAnswer };

export function PatientView() {
  const { query } = useRoute();
  const jobId = query.get("job");
  const template = useGet<Template>("/patient/template", true);
  const agents = useGet<{ agents: AgentRow[] }>("/agents", true);
  const [again, setAgain] = useState(0);
  const followed = useJob(jobId, again);
  const ready = hasResult(followed.job);
  const [answer, setAnswer] = useState<Answered | undefined>();
  const [error, setError] = useState<ApiError | undefined>();
  useEffect(() => {
    setAnswer(undefined);
    setError(undefined);
    if (!jobId || !ready) return undefined;
    let alive = true;
    get<Answered>(`/jobs/${encodeURIComponent(jobId)}/result`).then(
      (a) => alive && setAnswer(a),
      (e: unknown) => alive && setError(asApiError(e)),
    );
    return () => {
      alive = false;
    };
  }, [jobId, ready]);
  return (
    <>
      <div class="head">
        <div>
          <h1>Patient</h1>
          <p>Which escape routes fit one patient's history, which options the rules of the reviews give, and what each would do in virtual patients like this one. For research, not for treating patients.</p>
        </div>
      </div>
      <div class="grid trial-grid patient-grid">
        <div class="stack no-print">
          <Failure error={template.error} />
          {template.data ? <CasePanel template={template.data} agents={agents.data?.agents ?? []} /> : !template.error && <Wait />}
        </div>
        <div class="stack">
          <JobPanel followed={followed} onResumed={() => setAgain((n) => n + 1)} />
          <Failure error={error} />
          {answer?.kind === "patient" && <PatientResult answer={answer.result} run={answer.run} curves={answer.curves ?? {}} />}
          {answer?.kind === "sequence" && <SequenceResult answer={answer.result} run={answer.run} />}
          {jobId && ready && !answer && !error && <Wait>Loading the answer …</Wait>}
          {jobId && isFinal(followed.job) && <Leave job={jobId} />}
          {!jobId && (
            <section class="panel empty" data-source="text">
              <h2>No patient yet</h2>
              <p>Change the case on the left, or take an example, and ask. Virtual patients that fit what is known and lived through the same earlier lines are given each option.</p>
              <p>An answer usually takes a few seconds; rare histories need more draws.</p>
              <p>{KEEPING}</p>
            </section>
          )}
        </div>
      </div>
    </>
  );
}

const KEEPING =
  "What is kept: nothing in this browser. The server keeps a case in its database of jobs until its answer is there, a day at most where it was cancelled or failed, and the answer for a day; everyone who may use this server can see both. Delete it, and both are gone at once.";

/** After an answer: go on without it, or take it off the server as well. */
function Leave({ job }: { job: string }) {
  const [error, setError] = useState<ApiError | undefined>();
  const leave = (): void => setQuery({ job: null, part: null });
  return (
    <div class="no-print" data-source="text">
      <p class="row">
        <button
          type="button"
          onClick={() =>
            remove(`/jobs/${encodeURIComponent(job)}`).then(leave, (e: unknown) => {
              const problem = asApiError(e);
              if (problem.problem.status === 404) leave();
              else setError(problem);
            })
          }
        >
          Delete this answer from the server
        </button>
        <button type="button" class="link" onClick={leave}>
          Leave it
        </button>
      </p>
      <p class="small muted">{KEEPING}</p>
      <Failure error={error} />
    </div>
  );
}

function CasePanel({ template, agents }: { template: Template; agents: AgentRow[] }) {
  const { query } = useRoute();
  const shown = query.get("edit");
  const tab = shown === "yaml" || shown === "bundle" ? shown : "form";
  const [text, setText] = useState(template.yaml);
  const [bundle, setBundle] = useState<{ name: string; content: unknown } | undefined>();
  const [options, setOptions] = useState("");
  const [editing, setEditing] = useState<Editing | undefined>(loaded);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  useEffect(() => {
    if (editing) return;
    void Promise.all([import("../trial/document"), import("./form")]).then(([a, b]) => {
      loaded = { ...a, ...b };
      setEditing(loaded);
    });
  }, [editing]);
  const ask = (kind: "patient" | "sequence"): void => {
    setBusy(true);
    setError(undefined);
    const what = tab === "bundle" && bundle ? { bundle: bundle.content } : { yaml: text };
    const named = options.split(/[,;\n]/).map((o) => o.trim()).filter(Boolean);
    const more = kind === "patient" && named.length ? { options: named } : {};
    post<Job>("/jobs", { kind, ...what, ...more }, undefined, { "idempotency-key": newKey() })
      .then(
        (job) => setQuery({ job: job.id, part: null }),
        (e: unknown) => setError(asApiError(e)),
      )
      .finally(() => setBusy(false));
  };
  const showCell = (): void => {
    setError(undefined);
    patientCell(tab === "bundle" && bundle ? { bundle: bundle.content } : { yaml: text }).then(
      (cell) => go(mapHref(cell, [])),
      (e: unknown) => setError(asApiError(e)),
    );
  };
  const draft: Draft | undefined = editing?.read(text);
  return (
    <section class="panel" aria-label="Case">
      <Select
        label="Start from"
        value=""
        onChange={(id) => {
          const found = template.examples.find((e) => e.id === id);
          setText(id === "template" ? template.yaml : (found?.yaml ?? text));
        }}
      >
        <option value="">Take an example …</option>
        {template.examples.map((e) => (
          <option key={e.id} value={e.id}>
            {e.title}
          </option>
        ))}
        <option value="template">The commented template</option>
      </Select>
      <Tabs
        label="Case as"
        value={tab}
        options={[
          ["form", "Form"],
          ["yaml", "YAML"],
          ["bundle", "mCODE bundle"],
        ]}
        onChange={(t) => setQuery({ edit: t === "form" ? null : t })}
      >
        {tab === "form" &&
          (draft && editing ? (
            draft.error ? (
              <p class="note bad">The YAML cannot be read: {draft.error}</p>
            ) : (
              <editing.CaseForm draft={draft} template={template} agents={agents} onChange={setText} />
            )
          ) : (
            <Wait />
          ))}
        {tab === "yaml" && (
          <div class="field" data-source="user">
            <label for="case">Case file</label>
            <textarea id="case" rows={26} spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} />
          </div>
        )}
        {tab === "bundle" && (
          <div class="field" data-source="user">
            <label for="bundle">mCODE bundle (FHIR R4, JSON)</label>
            <input
              id="bundle"
              type="file"
              accept=".json,application/json"
              onChange={(e) => {
                const file = e.currentTarget.files?.[0];
                if (!file) return;
                file.text().then(
                  (t) => {
                    try {
                      setBundle({ name: file.name, content: JSON.parse(t) as unknown });
                      setError(undefined);
                    } catch {
                      setError(asApiError(new Error(`${file.name}: this is not JSON; expected a FHIR bundle`)));
                    }
                  },
                  (err: unknown) => setError(asApiError(err)),
                );
              }}
            />
            {bundle && <p class="small">{bundle.name} is read and will be sent when you ask.</p>}
          </div>
        )}
      </Tabs>
      <div class="stack ask">
        <TextField label="Regimens you would like judged as well" value={options} onChange={setOptions} note="such as t_dm1+pertuzumab, separated by commas" />
        <div class="row">
          <button type="button" class="primary" disabled={busy || (tab === "bundle" && !bundle)} onClick={() => ask("patient")}>
            {busy ? "Starting …" : "Explain this patient"}
          </button>
          <button type="button" disabled={busy || (tab === "bundle" && !bundle)} onClick={() => ask("sequence")}>
            Compare sequences
          </button>
          <button type="button" disabled={tab === "bundle" && !bundle} onClick={showCell}>
            This tumour on the map
          </button>
        </div>
        <Failure error={error} />
      </div>
    </section>
  );
}

export function agentsText(ids: readonly string[]): string {
  return regimen(ids.join("+"));
}
