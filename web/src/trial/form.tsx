/** The trial file as a form; every field edits the YAML text. */

import { endpointShort, ENDPOINTS, title, words } from "../format";
import type { PopulationValue, TrialOptions } from "../types";
import { Select, TextField } from "../widgets/basic";
import { append, at, drop, dropEmpty, type Draft, type Path, put } from "./document";

interface Props {
  draft: Draft;
  options: TrialOptions | undefined;
  onChange: (text: string) => void;
}

interface ComponentRow {
  agent?: string;
  dose?: string;
  cycles?: unknown;
}

interface ArmRow {
  id?: string;
  label?: string;
  regimen?: ComponentRow[];
  options?: { share?: number; label?: string; regimen?: ComponentRow[] }[];
}

const STRATA = ["er_positive", "visceral", "liver", "adjuvant_chemotherapy", "ecog_1"];
const BRAIN = ["any", "none", "untreated", "treated"];

export function TrialForm({ draft, options, onChange }: Props) {
  const { text, data } = draft;
  const set = (path: Path, value: unknown): void => onChange(put(text, path, value));
  const str = (...path: Path): string => {
    const v = at(data, path);
    return v === undefined || v === null ? "" : String(v);
  };
  const number = (path: Path) => (v: string) => set(path, v === "" ? undefined : Number(v));
  const words_ = (path: Path) => (v: string) => set(path, v === "" ? undefined : v);
  const arms = (at(data, ["arms"]) as ArmRow[] | undefined) ?? [];
  const setting = str("setting") || "metastatic";
  const endpoints = options?.endpoints[setting] ?? Object.keys(ENDPOINTS);
  const list = (path: Path): string[] => ((at(data, path) as unknown[] | undefined) ?? []).map(String);
  const toggle = (path: Path, name: string, on: boolean): void => {
    const now = list(path);
    set(path, on ? [...now, name] : now.filter((x) => x !== name));
  };
  return (
    <div class="stack" data-source="user">
      <fieldset>
        <legend>Trial</legend>
        <TextField label="Title" value={str("title")} onChange={words_(["title"])} />
      </fieldset>
      <fieldset>
        <legend>Patients</legend>
        <div class="fields">
          <Select label="Population" value={str("population", "recipe")} onChange={(v) => set(["population", "recipe"], v)}>
            {!options && <option value={str("population", "recipe")}>{words(str("population", "recipe"))}</option>}
            {options?.populations.map((p) => (
              <option key={p.id} value={p.id} title={p.says}>
                {words(p.id)}
              </option>
            ))}
          </Select>
          <TextField label="Size" type="number" min={2} max={100000} value={str("population", "size")} onChange={number(["population", "size"])} />
          <TextField label="Year, middle of accrual" type="number" min={1990} max={2100} value={str("population", "year")} onChange={number(["population", "year"])} />
          <Select label="Brain metastases at entry" value={str("population", "brain_metastases") || "any"} onChange={(v) => set(["population", "brain_metastases"], v)}>
            {BRAIN.map((b) => (
              <option key={b} value={b}>
                {b}
              </option>
            ))}
          </Select>
        </div>
        {setting === "metastatic" && <PriorLines draft={draft} options={options} onChange={onChange} />}
      </fieldset>
      {options && <PopulationValues legend="Biomarkers" values={options.values.filter((v) => v.is_marker)} {...{ draft, options, onChange }} />}
      {options && <PopulationValues legend="Who is enrolled" values={enrolled(options.values)} folded {...{ draft, options, onChange }} />}
      {arms.map((arm, i) => (
        <ArmFields key={i} arm={arm} index={i} count={arms.length} text={text} options={options} onChange={onChange} control={str("control")} />
      ))}
      <div class="row">
        <button
          type="button"
          disabled={arms.length >= 6}
          onClick={() => {
            const id = `arm_${arms.length + 1}`;
            const from = arms[arms.length - 1]?.regimen ?? [{ agent: "trastuzumab", dose: "8 mg/kg then 6 mg/kg q3w" }];
            let next = append(text, ["arms"], { id, label: `new arm ${arms.length + 1}`, regimen: from });
            const ratio = list(["randomisation", "ratio"]);
            if (ratio.length === arms.length) next = put(next, ["randomisation", "ratio"], [...ratio.map(Number), 1]);
            const block = Number(at(data, ["randomisation", "block"]) ?? 0);
            if (block) next = put(next, ["randomisation", "block"], 2 * (ratio.map(Number).reduce((a, b) => a + b, 0) + 1));
            onChange(next);
          }}
        >
          Add an arm
        </button>
      </div>
      <fieldset>
        <legend>Conduct</legend>
        <div class="fields">
          {arms.length > 1 && (
            <Select label="Control arm" value={str("control")} onChange={(v) => set(["control"], v)}>
              {arms.map((a) => (
                <option key={a.id} value={a.id}>
                  {a.label ?? a.id}
                </option>
              ))}
            </Select>
          )}
          <TextField label="Accrual lasts" value={str("accrual", "duration")} note="such as 29 month" onChange={words_(["accrual", "duration"])} />
          <TextField label="Scans every" value={str("scans", "every")} note="such as 9 week" onChange={words_(["scans", "every"])} />
          <TextField label="Drop-out" value={str("drop_out", "rate")} note="such as 0.03 1/year" onChange={words_(["drop_out", "rate"])} />
          {arms.length > 1 && (
            <TextField
              label="Randomised as"
              value={list(["randomisation", "ratio"]).join(":")}
              note="such as 1:1"
              onChange={(v) => set(["randomisation", "ratio"], v.split(":").map(Number))}
            />
          )}
        </div>
        {arms.length > 1 && <Checks legend="Stratified by" names={STRATA} on={list(["randomisation", "strata"])} onToggle={(n, v) => toggle(["randomisation", "strata"], n, v)} />}
      </fieldset>
      <fieldset>
        <legend>Endpoints and analyses</legend>
        <div class="fields">
          <Select label="Primary endpoint" value={str("endpoints", "primary")} onChange={(v) => set(["endpoints", "primary"], v)}>
            {endpoints.map((e) => (
              <option key={e} value={e}>
                {ENDPOINTS[e] ?? e}
              </option>
            ))}
          </Select>
          {((at(data, ["analyses"]) as { endpoint?: string; cut?: string }[] | undefined) ?? []).map((a, i) => (
            <TextField key={i} label={`Data cut for ${endpointShort(a.endpoint ?? "")}`} value={String(a.cut ?? "")} note="since the first patient" onChange={words_(["analyses", i, "cut"])} />
          ))}
        </div>
        <Checks legend="Reported" names={endpoints} text={endpointShort} on={list(["endpoints", "reported"])} onToggle={(n, v) => toggle(["endpoints", "reported"], n, v)} />
        {options && <Checks legend="Subgroups" names={options.subgroups} on={list(["subgroups"])} onToggle={(n, v) => toggle(["subgroups"], n, v)} />}
      </fieldset>
    </div>
  );
}

function Checks(props: { legend: string; names: string[]; on: string[]; text?: (n: string) => string; onToggle: (name: string, on: boolean) => void }) {
  const names = [...new Set([...props.names, ...props.on])];
  return (
    <fieldset>
      <legend class="small">{props.legend}</legend>
      <div class="row">
        {names.map((n) => (
          <label key={n} class="check">
            <input type="checkbox" checked={props.on.includes(n)} onChange={(e) => props.onToggle(n, e.currentTarget.checked)} />
            {(props.text ?? words)(n)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const DESCRIBED = ["age_mean", "weight_median"];

function enrolled(values: readonly PopulationValue[]): PopulationValue[] {
  return values.filter((v) => (v.is_share && !v.is_marker) || DESCRIBED.includes(v.id));
}

/** `Prevalence of PIK3CA mutation` is "PIK3CA mutation, %". */
export function valueLabel(v: PopulationValue): string {
  const name = v.label.replace(/^(Prevalence of|Frequency of|Share with|Share of HER2-positive tumours with)( an?)? /, "");
  return `${title(name)}, ${v.is_share ? "%" : v.unit}`;
}

/** A value of the population as the trial file holds it; what is entered here is an assumption of the trial's own. */
export function ownValue(v: PopulationValue, shown: number): Record<string, number | string> {
  const value = v.is_share ? Number((shown / 100).toPrecision(6)) : shown;
  return { value, unit: v.unit, quality: "assumed", source: "own_trial", locator: "entered in the form" };
}

/** Shares and means of those enrolled: empty is what the population says. */
function PopulationValues({ draft, options, onChange, legend, values, folded }: Props & { options: TrialOptions; legend: string; values: PopulationValue[]; folded?: boolean }) {
  const recipe = options.populations.find((p) => p.id === at(draft.data, ["population", "recipe"]));
  const own = (at(draft.data, ["population", "values"]) ?? {}) as Record<string, { value?: number } | undefined>;
  const shown = (v: PopulationValue, x: number): string => String(Number((v.is_share ? 100 * x : x).toPrecision(3)));
  const fields = (
    <div class="fields">
      {values.map((v) => {
        const set = own[v.id]?.value;
        const usual = recipe?.values[v.id] ?? v.value;
        return (
          <TextField
            key={v.id}
            label={valueLabel(v)}
            type="number"
            min={0}
            {...(v.is_share ? { max: 100 } : {})}
            step="any"
            value={set === undefined ? "" : String(Number((v.is_share ? 100 * set : set).toPrecision(6)))}
            note={`else ${shown(v, usual)}`}
            onChange={(text) => {
              const path: Path = ["population", "values", v.id];
              if (text !== "") onChange(put(draft.text, path, ownValue(v, Number(text))));
              else onChange(dropEmpty(draft.text, ["population", "values"], v.id));
            }}
          />
        );
      })}
    </div>
  );
  if (folded)
    return (
      <details open={values.some((v) => v.id in own)}>
        <summary>{legend}</summary>
        {fields}
      </details>
    );
  return (
    <fieldset>
      <legend>{legend}</legend>
      <p class="small muted">Share of the patients enrolled; 100 for a trial that takes such patients only, empty for what the population says.</p>
      {fields}
    </fieldset>
  );
}

function PriorLines({ draft, options, onChange }: Props) {
  const raw = at(draft.data, ["prior_lines"]);
  if (raw !== undefined && (!Array.isArray(raw) || raw.some((x) => typeof x === "object"))) {
    return <p class="small muted">Earlier lines differ between patients; edit them in the YAML.</p>;
  }
  const lines = (raw as string[] | undefined) ?? [];
  return (
    <div class="row">
      <span class="label">Earlier lines for metastatic disease</span>
      {lines.length === 0 && <span class="small muted">none</span>}
      {lines.map((l, i) => (
        <button key={i} type="button" class="chip" aria-label={`Take earlier line ${words(l)} away`} onClick={() => onChange(put(draft.text, ["prior_lines"], lines.filter((_, k) => k !== i)))}>
          {words(l)} ×
        </button>
      ))}
      {options && (
        <Select label="Add an earlier line" hideLabel value="" onChange={(v) => v && onChange(put(draft.text, ["prior_lines"], [...lines, v]))}>
          <option value="">Add an earlier line …</option>
          {options.regimens.map((r) => (
            <option key={r.id} value={r.id}>
              {r.title || words(r.id)}
            </option>
          ))}
        </Select>
      )}
    </div>
  );
}

function ArmFields(props: {
  arm: ArmRow;
  index: number;
  count: number;
  text: string;
  options: TrialOptions | undefined;
  onChange: (text: string) => void;
  control: string;
}) {
  const { arm, index, text, options, onChange } = props;
  const base: Path = ["arms", index];
  const agents = options?.agents ?? [];
  return (
    <fieldset class="arm">
      <legend>
        Arm {index + 1}
        {arm.id === props.control ? ", control" : ""}
      </legend>
      <div class="row">
        <div class="grow">
          <TextField label="Name" value={arm.label ?? ""} onChange={(v) => onChange(put(text, [...base, "label"], v))} />
        </div>
        {props.count > 1 && (
          <button type="button" class="quiet" disabled={arm.id === props.control} onClick={() => onChange(drop(text, base))}>
            Take this arm away
          </button>
        )}
      </div>
      {arm.options ? (
        <p class="small muted">The physician chooses between {arm.options.map((o) => o.label).join(", ")}; edit these in the YAML.</p>
      ) : (
        <>
          {(arm.regimen ?? []).map((c, k) => (
            <div class="dose" key={k}>
              <Select label="Agent" value={c.agent ?? ""} onChange={(v) => onChange(put(text, [...base, "regimen", k, "agent"], v))}>
                {!agents.some((a) => a.id === c.agent) && <option value={c.agent}>{words(c.agent ?? "")}</option>}
                {agents.map((a) => (
                  <option key={a.id} value={a.id}>
                    {a.name}
                  </option>
                ))}
              </Select>
              <TextField label="Dose" value={c.dose ?? ""} onChange={(v) => onChange(put(text, [...base, "regimen", k, "dose"], v))} />
              <button
                type="button"
                class="quiet icon"
                aria-label={`Take ${words(c.agent ?? "")} out of arm ${index + 1}`}
                disabled={(arm.regimen ?? []).length < 2}
                onClick={() => onChange(drop(text, [...base, "regimen", k]))}
              >
                ×
              </button>
            </div>
          ))}
          <div class="row">
            <Select
              label={`Add an agent to arm ${index + 1}`}
              hideLabel
              value=""
              onChange={(v) => {
                if (!v) return;
                onChange(append(text, [...base, "regimen"], { agent: v, dose: usualDose(options, v) }));
              }}
            >
              <option value="">Add an agent …</option>
              {agents.map((a) => (
                <option key={a.id} value={a.id}>
                  {a.name}
                </option>
              ))}
            </Select>
            <Select
              label={`Take a regimen for arm ${index + 1}`}
              hideLabel
              value=""
              onChange={(v) => {
                const found = options?.regimens.find((r) => r.id === v);
                if (found) onChange(put(text, [...base, "regimen"], found.components.map(({ agent, dose }) => ({ agent, dose }))));
              }}
            >
              <option value="">Take a regimen of the record …</option>
              {options?.regimens.map((r) => (
                <option key={r.id} value={r.id}>
                  {r.title || words(r.id)}
                </option>
              ))}
            </Select>
          </div>
        </>
      )}
    </fieldset>
  );
}

/** The dose in which the record's regimens give an agent. */
export function usualDose(options: TrialOptions | undefined, agent: string): string {
  for (const r of options?.regimens ?? []) {
    const found = r.components.find((c) => c.agent === agent);
    if (found) return found.dose;
  }
  return "";
}
