/** What is chosen for the map: cell, surroundings, drugs with doses, switches, ligands. */

import { useState } from "preact/hooks";
import { asApiError, get, useAsked, useGet, type ApiError } from "../api";
import { compact } from "../format";
import type { AgentRow, AttributeRow, CellRow, Condition, SwitchRow } from "../types";
import { Failure, Segments, Select, Slider } from "../widgets/basic";
import type { Template } from "../patient/types";
import { doseAt, dosePosition, doseRange, WHERES } from "./condition";
import { cellText, patientCell, type PatientCell } from "./patient_cell";

export interface Lists {
  cells: CellRow[];
  agents: AgentRow[];
  switches: SwitchRow[];
  ligands: AttributeRow[];
}

/** Everything there is to choose from, asked once. */
export function useLists() {
  return useAsked<Lists>("lists", async () => {
    const [cells, agents, switches, attributes] = await Promise.all([
      get<{ cells: CellRow[] }>("/cells", { keep: true }),
      get<{ agents: AgentRow[] }>("/agents", { keep: true }),
      get<{ switches: SwitchRow[] }>("/switches", { keep: true }),
      get<{ attributes: AttributeRow[] }>("/attributes", { keep: true }),
    ]);
    return {
      cells: cells.cells,
      agents: agents.agents.filter((a) => a.acts_on_cells),
      switches: switches.switches.filter((s) => s.settable),
      ligands: attributes.attributes.filter((a) => a.kind === "ligand" || a.kind === "ligands"),
    };
  });
}

const TRY: [string, Partial<Condition>][] = [
  ["trastuzumab", { drugs: { trastuzumab: "clinical" } }],
  ["… with PTEN loss", { drugs: { trastuzumab: "clinical" }, switches: { "pten-loss": 1 } }],
  ["lapatinib", { drugs: { lapatinib: "clinical" } }],
  ["dual HER2 blockade", { drugs: { trastuzumab: "clinical", pertuzumab: "clinical" } }],
  ["T-DM1", { drugs: { t_dm1: "clinical" } }],
  ["everolimus", { drugs: { trastuzumab: "clinical", everolimus: "clinical" } }],
];

export function Controls({ value, onChange, lists }: { value: Condition; onChange: (c: Condition) => void; lists: Lists | undefined }) {
  const drugs = value.drugs ?? {};
  const switches = value.switches ?? {};
  const ligands = value.ligands ?? {};
  const set = (part: Partial<Condition>): void => onChange({ ...value, ...part });
  const without = <T,>(of: Record<string, T>, name: string): Record<string, T> => Object.fromEntries(Object.entries(of).filter(([k]) => k !== name));
  const agents = lists?.agents ?? [];
  const known = lists?.switches ?? [];
  const twins = known.filter((s) => s.id.startsWith("no-"));
  const others = known.filter((s) => !s.id.startsWith("no-"));
  const cell = lists?.cells.find((c) => c.id === value.cell || c.name === value.cell);
  // the map shows what reaches the cell, which is less
  const given = value.where === "culture" ? "in medium" : "in plasma";
  const cases = useGet<Template>("/patient/template", true).data?.examples ?? [];
  const [from, setFrom] = useState<{ title: string; cell: PatientCell } | undefined>();
  const [error, setError] = useState<ApiError | undefined>();
  const choose = (id: string): void => {
    setFrom(undefined);
    setError(undefined);
    const found = cases.find((c) => `case:${c.id}` === id);
    if (!found) {
      set({ cell: id });
      return;
    }
    patientCell({ yaml: found.yaml }).then(
      (made) => {
        setFrom({ title: found.title, cell: made });
        onChange({ ...made.condition, drugs });
      },
      (e: unknown) => setError(asApiError(e)),
    );
  };
  return (
    <section class="panel no-print controls" aria-label="Condition">
      <div class="choose">
        <Select label="Cell or patient" value={cell?.id ?? value.cell} onChange={choose}>
          {!cell && <option value={value.cell}>{value.cell}</option>}
          <optgroup label="Cells">
            {lists?.cells.map((c) => (
              <option key={c.id} value={c.id}>
                {c.name}
              </option>
            ))}
          </optgroup>
          {cases.length > 0 && (
            <optgroup label="A patient's tumour">
              {cases.map((c) => (
                <option key={c.id} value={`case:${c.id}`}>
                  {c.title}
                </option>
              ))}
            </optgroup>
          )}
        </Select>
        <div class="field">
          <span class="label">Surroundings</span>
          <Segments label="Surroundings" value={value.where ?? "tumour"} options={WHERES as [string, string][]} onChange={(where) => set({ where })} />
        </div>
        <Select
          label="Drugs"
          value=""
          onChange={(id) => {
            const agent = agents.find((a) => a.id === id);
            if (agent) set({ drugs: { ...drugs, [id]: agent.clinical ? "clinical" : 100 } });
          }}
        >
          <option value="">Add a drug …</option>
          {kinds(agents).map(([kind, members]) => (
            <optgroup key={kind} label={kind.replace(/_/g, " ")}>
              {members
                .filter((a) => !(a.id in drugs))
                .map((a) => (
                  <option key={a.id} value={a.id}>
                    {a.name}
                  </option>
                ))}
            </optgroup>
          ))}
        </Select>
        <Select label="Mechanisms" value="" onChange={(id) => id && set({ switches: { ...switches, [id]: 1 } })}>
          <option value="">Set a mechanism …</option>
          <optgroup label="Alterations, escape routes, surroundings">
            {others.filter((s) => !(s.id in switches)).map((s) => (
              <option key={s.id} value={s.id}>
                {s.label}
              </option>
            ))}
          </optgroup>
          <optgroup label="Take an effect away (counterfactual twin)">
            {twins.filter((s) => !(s.id in switches)).map((s) => (
              <option key={s.id} value={s.id}>
                {s.label}
              </option>
            ))}
          </optgroup>
        </Select>
        {lists && lists.ligands.length > 0 && (
          <Select
            label="Ligands"
            value=""
            onChange={(id) => {
              const l = lists.ligands.find((x) => x.id === id);
              if (l) set({ ligands: { ...ligands, [id]: l.default } });
            }}
          >
            <option value="">Change a ligand …</option>
            {lists.ligands
              .filter((l) => !(l.id in ligands))
              .map((l) => (
                <option key={l.id} value={l.id}>
                  {l.label}
                </option>
              ))}
          </Select>
        )}
      </div>
      <div class="row try" role="group" aria-label="Try">
        <span class="label">Try</span>
        {TRY.map(([name, part]) => (
          <button key={name} type="button" class="chip" onClick={() => set({ drugs: {}, switches: {}, ...part })}>
            {name}
          </button>
        ))}
      </div>
      <div class="sliders">
        {Object.entries(drugs).map(([id, dose]) => {
          const agent = agents.find((a) => a.id === id);
          const range = doseRange(agent?.clinical);
          const clinical = typeof dose !== "number";
          const now = clinical ? (agent?.clinical ?? 0) : dose;
          return (
            <div key={id}>
              <Slider
                label={agent?.name ?? id}
                value={clinical && !agent?.clinical ? 0.7 : dosePosition(now, range)}
                min={0}
                max={1}
                step={0.01}
                text={clinical ? (agent?.clinical ? `${compact(agent.clinical)} nM ${given}, clinical` : "clinical") : now === 0 ? "none" : `${compact(now)} nM ${given}`}
                onInput={(p) => set({ drugs: { ...drugs, [id]: doseAt(p, range) } })}
                onRemove={() => set({ drugs: without(drugs, id) })}
              />
              {!clinical && agent?.clinical ? (
                <button type="button" class="link small" onClick={() => set({ drugs: { ...drugs, [id]: "clinical" } })}>
                  back to the clinical exposure
                </button>
              ) : null}
            </div>
          );
        })}
        {Object.entries(switches).map(([id, grade]) => {
          const s = known.find((k) => k.id === id);
          return (
            <Slider
              key={id}
              label={s?.label ?? id}
              value={grade}
              min={0}
              max={1}
              step={0.05}
              text={grade === 0 ? "off" : grade === 1 ? "in full" : grade.toFixed(2)}
              note={s?.why}
              onInput={(g) => set({ switches: { ...switches, [id]: g } })}
              onRemove={() => set({ switches: without(switches, id) })}
            />
          );
        })}
        {Object.entries(ligands).map(([id, level]) => {
          const l = lists?.ligands.find((x) => x.id === id);
          return (
            <Slider
              key={id}
              label={l?.label ?? id}
              value={level}
              min={0}
              max={10}
              step={0.1}
              text={`${compact(level)} ${!l || l.unit === "1" ? "relative" : l.unit}`}
              onInput={(v) => set({ ligands: { ...ligands, [id]: v } })}
              onRemove={() => set({ ligands: without(ligands, id) })}
            />
          );
        })}
      </div>
      {from ? (
        <p class="small muted" data-source="user">
          {from.title}: {cellText(from.cell)} Your own case: under <a href="/patient">Patient</a>, “This tumour on the map”.
        </p>
      ) : (
        cell?.describes && (
          <p class="small muted" data-source={`record:cell:${cell.id}`}>
            {cell.describes}
          </p>
        )
      )}
      <Failure error={error} />
    </section>
  );
}

function kinds(agents: readonly AgentRow[]): [string, AgentRow[]][] {
  const groups = new Map<string, AgentRow[]>();
  for (const a of agents) groups.set(a.kind, [...(groups.get(a.kind) ?? []), a]);
  return [...groups];
}
