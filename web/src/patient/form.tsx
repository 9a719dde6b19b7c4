/** A case as a form; every field edits the YAML of the case. */

import { title, words } from "../format";
import { append, at, drop, type Draft, type Path, put } from "../trial/document";
import type { AgentRow } from "../types";
import { Select, TextField } from "../widgets/basic";
import type { FormField, Template } from "./types";

const FIRST = ["setting", "her2", "hormone_receptor", "de_novo", "cns.metastases", "cns.symptomatic", "visceral_crisis", "sites", "phase"];
const PERSON = ["sex", "age", "weight", "ecog", "lvef", "pregnant", "leptomeningeal"];

/** Names that do not say enough on their own. */
const LABELS: Record<string, string> = {
  de_novo: "Metastatic from the start",
  "cns.metastases": "Brain metastases",
  "cns.symptomatic": "Brain: symptoms",
  leptomeningeal: "Leptomeningeal disease",
  phase: "Question",
  ecog: "ECOG",
  lvef: "LVEF, per cent",
  months: "Months on it",
  months_since: "Months since its end",
  months_since_trastuzumab: "Months since trastuzumab",
  months_since_taxane: "Months since taxane",
  months_since_pertuzumab: "Months since pertuzumab",
  months_of_pertuzumab: "Months of pertuzumab",
};

interface Props {
  draft: Draft;
  template: Template;
  agents: AgentRow[];
  onChange: (text: string) => void;
}

export function CaseForm({ draft, template, agents, onChange }: Props) {
  const { text, data } = draft;
  const field = (name: string): FormField | undefined => template.fields.find((f) => f.name === name);
  const one = (name: string) => {
    const f = field(name);
    return f ? <Item key={name} field={f} text={text} data={data} onChange={onChange} /> : null;
  };
  const markers = template.fields.filter((f) => f.group === "biomarkers");
  const early = template.fields.filter((f) => f.group === "early");
  return (
    <div class="stack" data-source="user">
      <fieldset>
        <legend>Disease</legend>
        <div class="fields">{FIRST.map(one)}</div>
      </fieldset>
      <Lines draft={draft} field={field("lines")} agents={agents} onChange={onChange} />
      {early.length > 0 && (
        <details>
          <summary>Treatment of early disease</summary>
          {typeof data["early"] === "string" ? (
            <p class="small">
              {String(data["early"])}.{" "}
              <button type="button" class="link" onClick={() => onChange(put(text, ["early"], { neoadjuvant: "none", adjuvant: "none" }))}>
                Enter it
              </button>
            </p>
          ) : (
            <div class="fields">
              {early.map((f) =>
                f.kind === "list" ? <AgentsField key={f.name} label={title(f.label)} path={f.name.split(".")} text={text} data={data} agents={agents} onChange={onChange} /> : one(f.name),
              )}
            </div>
          )}
        </details>
      )}
      <fieldset>
        <legend>Patient</legend>
        <div class="fields">{PERSON.map(one)}</div>
      </fieldset>
      <details open={markers.some((f) => known(at(data, f.name.split("."))))}>
        <summary>Tumour markers</summary>
        <div class="fields">{markers.map((f) => one(f.name))}</div>
      </details>
    </div>
  );
}

function known(v: unknown): boolean {
  return v !== undefined && v !== null && v !== "unknown";
}

function Item({ field, text, data, onChange }: { field: FormField; text: string; data: Record<string, unknown>; onChange: (t: string) => void }) {
  const path: Path = field.name.split(".");
  const value = at(data, path);
  const label = LABELS[field.name] ?? LABELS[String(path[path.length - 1])] ?? title(words(field.label.replace(/ /g, "_"))) + (field.unit ? `, ${field.unit}` : "");
  const set = (v: unknown): void => onChange(put(text, path, v));
  if (field.kind === "choices") {
    const on = Array.isArray(value) ? value.map(String) : [];
    return (
      <fieldset class="wide">
        <legend class="small">{label}</legend>
        <div class="row">
          {field.words.map((w) => (
            <label class="check" key={w}>
              <input type="checkbox" checked={on.includes(w)} onChange={(e) => set(e.currentTarget.checked ? [...on, w] : on.length > 1 ? on.filter((x) => x !== w) : undefined)} />
              {words(w)}
            </label>
          ))}
        </div>
      </fieldset>
    );
  }
  if (field.kind === "choice" || field.kind === "boolean") {
    const options = field.kind === "boolean" ? ["yes", "no"] : field.words;
    const now = value === true ? "yes" : value === false ? "no" : known(value) ? String(value) : "";
    return (
      <Select label={label} value={now} onChange={(v) => set(v === "" ? undefined : v)}>
        <option value="">unknown</option>
        {options.map((w) => (
          <option key={w} value={w}>
            {words(w)}
          </option>
        ))}
      </Select>
    );
  }
  if (field.kind === "number") {
    return (
      <TextField
        label={label}
        type="number"
        min={field.low ?? undefined}
        max={field.high ?? undefined}
        step="any"
        value={known(value) ? String(value) : ""}
        onChange={(v) => set(v === "" ? undefined : Number(v))}
      />
    );
  }
  return <TextField label={label} value={known(value) ? String(value) : ""} onChange={(v) => set(v === "" ? undefined : v)} />;
}

function AgentsField(props: { label: string; path: Path; text: string; data: Record<string, unknown>; agents: AgentRow[]; onChange: (t: string) => void }) {
  const raw = at(props.data, props.path);
  const now = Array.isArray(raw) ? raw.map(String) : [];
  const set = (v: string[]): void => props.onChange(put(props.text, props.path, v.length ? v : "none"));
  return (
    <div class="field wide">
      <span class="label">{props.label}</span>
      <div class="row">
        {now.map((a) => (
          <button key={a} type="button" class="chip" aria-label={`Take ${words(a)} away from ${props.label}`} onClick={() => set(now.filter((x) => x !== a))}>
            {words(a)} ×
          </button>
        ))}
        <Select label={`Add an agent to ${props.label}`} hideLabel value="" onChange={(v) => v && set([...now, v])}>
          <option value="">{now.length ? "Add …" : "none; add …"}</option>
          {props.agents
            .filter((a) => !now.includes(a.id))
            .map((a) => (
              <option key={a.id} value={a.id}>
                {a.name}
              </option>
            ))}
        </Select>
      </div>
    </div>
  );
}

function Lines({ draft, field, agents, onChange }: { draft: Draft; field: FormField | undefined; agents: AgentRow[]; onChange: (t: string) => void }) {
  const raw = at(draft.data, ["lines"]);
  const lines = Array.isArray(raw) ? raw : [];
  const inner = (name: string): FormField | undefined => field?.fields?.find((f) => f.name === name || f.name.endsWith(`.${name}`));
  return (
    <fieldset>
      <legend>Lines for metastatic disease</legend>
      {lines.length === 0 && <p class="small muted">none so far</p>}
      {lines.map((_, i) => (
        <fieldset class="arm line" key={i}>
          <legend class="small">Line {i + 1}</legend>
          <div class="fields">
            <AgentsField label={`Agents of line ${i + 1}`} path={["lines", i, "agents"]} text={draft.text} data={draft.data} agents={agents} onChange={onChange} />
            {["best_response", "months", "stopped_for", "months_since"].map((name) => {
              const f = inner(name);
              return f ? <Item key={name} field={{ ...f, name: `lines.${i}.${name}` }} text={draft.text} data={draft.data} onChange={onChange} /> : null;
            })}
          </div>
          <button type="button" class="link small" onClick={() => onChange(lines.length > 1 ? drop(draft.text, ["lines", i]) : put(draft.text, ["lines"], "none"))}>
            Take line {i + 1} away
          </button>
        </fieldset>
      ))}
      <button
        type="button"
        onClick={() => {
          const line = { agents: ["trastuzumab"], best_response: "stable", months: 6, stopped_for: "progression", months_since: 0 };
          onChange(lines.length ? append(draft.text, ["lines"], line) : put(draft.text, ["lines"], [line]));
        }}
      >
        Add a line
      </button>
    </fieldset>
  );
}
