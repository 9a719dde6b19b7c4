/** Validation as a page: what the model misses comes first; every dot leads to its trial and to the source line. */

import { useMemo } from "preact/hooks";
import { useGet } from "../api";
import { Agreement, type Dot } from "../charts/bars";
import { Figure } from "../charts/frame";
import { endpointShort, interval, show, title, words, type Kind } from "../format";
import { trialHref } from "../links";
import { setQuery, useRoute } from "../route";
import { distance } from "./distance";
import type { ScoreRow, TrialRow, Validation, ValidationEndpoint } from "../types";
import { Select, Wait } from "../widgets/basic";
import { Num, PlaceButton, placeSource, RunLine, runSource } from "../widgets/source";

interface Row {
  key: string;
  trial: string;
  title: string;
  setting: string;
  who: string;
  e: ValidationEndpoint;
  kind: Kind;
  /** How far the published figure lies outside: distance from the median in half widths of the 90 % interval. */
  distance: number;
}

const ROLES: Record<string, string> = { fit: "fitted", held_out: "held out", context: "not used" };
const GROUPS: Record<string, string> = { fit: "Fitted figures: reproduction", held_out: "Held-out figures: prediction", context: "Neither fitted nor held out", leave_one_out: "Each trial left out of the fit" };

export function kindOf(statistic: string): Kind {
  return statistic === "hr" ? "hr" : statistic === "rate" ? "rate" : "median";
}

export function ScoreboardView() {
  const { query } = useRoute();
  const validation = useGet<Validation>("/validation", true);
  const trials = useGet<{ trials: TrialRow[] }>("/trials", true);
  return (
    <>
      <div class="head">
        <div>
          <h1>Scoreboard</h1>
          <p>Every published figure beside its prediction, misses first. Fitted figures show reproduction only; what was not fitted shows prediction.</p>
        </div>
      </div>
      {validation.error && (
        <section class="panel empty" role="status" data-source="text">
          <h2>No validation is shipped with this installation</h2>
          <p>{validation.error.message}</p>
        </section>
      )}
      {!validation.data && !validation.error && <Wait />}
      {validation.data && <Board v={validation.data} trials={trials.data?.trials ?? []} query={query} />}
    </>
  );
}

function rowsOf(v: Validation, trials: readonly TrialRow[]): Row[] {
  return v.trials.flatMap((t) => {
    const known = trials.find((k) => k.id === t.id);
    const arm = (id: string): string => known?.arms.find((a) => a.id === id)?.label ?? id;
    return t.endpoints
      .filter((e) => e.published !== null)
      .map((e, i) => ({
        key: `${t.id}/${i}`,
        trial: t.id,
        title: t.title,
        setting: known?.setting ?? "",
        who: (e.arm ? arm(e.arm) : e.contrast ? `${arm(e.contrast.experimental)} v ${arm(e.contrast.control)}` : "") + (e.subgroup ? `, ${words(e.subgroup)}` : ""),
        e,
        kind: kindOf(e.statistic),
        distance: distance(e),
      }));
  });
}

function Board({ v, trials, query }: { v: Validation; trials: TrialRow[]; query: URLSearchParams }) {
  const rows = useMemo(() => rowsOf(v, trials), [v, trials]);
  const role = query.get("role") ?? "";
  const statistic = query.get("statistic") ?? "";
  const endpoint = query.get("endpoint") ?? "";
  const setting = query.get("setting") ?? "";
  const shownRows = rows
    .filter((r) => (!role || r.e.role === role) && (!statistic || r.e.statistic === statistic) && (!endpoint || r.e.endpoint === endpoint) && (!setting || r.setting === setting))
    .sort((a, b) => (Number.isFinite(b.distance) ? b.distance : 99) - (Number.isFinite(a.distance) ? a.distance : 99));
  const run = { id: v.digest, digest: v.digest, version: v.version, posterior: v.posterior_digest };
  const source = runSource(run);
  const inside = shownRows.filter((r) => r.e.inside90).length;
  const most = query.get("all") ? shownRows.length : 60;
  const choose = (name: string, label: string, values: string[], text: (x: string) => string) => (
    <Select label={label} value={query.get(name) ?? ""} onChange={(x) => setQuery({ [name]: x || null })}>
      <option value="">all</option>
      {values.map((x) => (
        <option key={x} value={x}>
          {text(x)}
        </option>
      ))}
    </Select>
  );
  const unique = (f: (r: Row) => string): string[] => [...new Set(rows.map(f))].filter(Boolean).sort();
  return (
    <div class="stack">
      <section class="panel" aria-label="In short" data-source={source}>
        <div class="big">
          <div>
            <strong>
              {inside} of {shownRows.length}
            </strong>
            <span>published figures inside their 90&nbsp;% interval</span>
          </div>
          <div>
            <strong>{shownRows.length ? show(inside / shownRows.length, "rate") : "–"}</strong>
            <span>of those chosen below; 90&nbsp;% is meant</span>
          </div>
          <div>
            <strong>{new Set(shownRows.map((r) => r.trial)).size}</strong>
            <span>trials</span>
          </div>
        </div>
        {!v.held_out && <p class="note">Held-out figures were not read in this run and are not shown here.</p>}
      </section>
      <section class="panel no-print" aria-label="Filters">
        <div class="fields">
          {choose("role", "Role", unique((r) => r.e.role), (x) => ROLES[x] ?? x)}
          {choose("statistic", "Statistic", unique((r) => r.e.statistic), (x) => ({ hr: "hazard ratio", rate: "rate", median: "median" })[x] ?? x)}
          {choose("endpoint", "Endpoint", unique((r) => r.e.endpoint), endpointShort)}
          {choose("setting", "Setting", unique((r) => r.setting), title)}
        </div>
      </section>
      <div class="grid two">
        {(["median", "rate", "hr"] as const).map((s) => {
          const of = shownRows.filter((r) => r.e.statistic === s);
          if (of.length < 2) return null;
          const dots: Dot[] = of
            .filter((r) => r.e.published !== null && r.e.predicted !== null)
            .map((r) => ({
              key: r.key,
              x: r.e.published as number,
              y: r.e.predicted as number,
              low: r.e.low90,
              high: r.e.high90,
              label: `${r.trial}, ${endpointShort(r.e.endpoint)}, ${r.who}`,
              inside: r.e.inside90 === true,
              href: trialHref(r.trial),
              source: `place:${r.e.source ?? ""}`,
            }));
          const name = s === "hr" ? "hazard ratio" : s === "rate" ? "rate" : "median";
          return (
            <section class="panel" key={s} aria-label={`Predicted against published ${name}`}>
              <h2>{title(name)}s</h2>
              <Figure name={`validation ${name}`} source={source} caption="Bars: 90 % predictive intervals. Diamonds lie outside. A dot leads to its trial.">
                <Agreement dots={dots} unit={s === "hr" ? "ratio" : s === "rate" ? "%" : "months"} logarithmic={s !== "rate"} source={source} name={name} text={(x) => (s === "rate" ? `${Math.round(100 * x)}` : String(Number(x.toPrecision(2))))} />
              </Figure>
            </section>
          );
        })}
        <Levels rows={shownRows} source={source} />
      </div>
      <section class="panel" aria-label="Figures, misses first">
        <h2>Misses first</h2>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>trial</th>
                <th>statistic</th>
                <th>of</th>
                <th class="n">published</th>
                <th class="n">
                  predicted <span class="sub" data-source="text">90&nbsp;% interval</span>
                </th>
                <th class="n">null model</th>
                <th class="n">off by</th>
                <th>where printed</th>
              </tr>
            </thead>
            <tbody>
              {shownRows.slice(0, most).map((r) => (
                <tr key={r.key} class={r.e.inside90 ? "" : "out"}>
                  <td>
                    <a href={trialHref(r.trial)} title={r.title}>
                      {words(r.trial).toUpperCase() === r.trial.toUpperCase() ? r.trial.toUpperCase() : words(r.trial)}
                    </a>
                    <span class="sub">{ROLES[r.e.role] ?? r.e.role}</span>
                  </td>
                  <td>
                    {r.kind === "hr" ? "HR" : r.kind === "median" ? "median" : ""} {endpointShort(r.e.endpoint)}
                  </td>
                  <td>{r.who}</td>
                  <td class="n pub">
                    <Num source={r.e.figure ? `record:${r.e.figure}` : placeSource(r.e.source)} about={`Published ${endpointShort(r.e.endpoint)}, ${r.trial}`}>
                      {show(r.e.published, r.kind)}
                      {r.e.corrected && <span class="sub">corrected</span>}
                    </Num>
                  </td>
                  <td class="n">
                    <Num source={source} about={`Predicted ${endpointShort(r.e.endpoint)}, ${r.trial}`}>
                      {show(r.e.predicted, r.kind)}
                      <span class="sub">{interval(r.e.low90, r.e.high90, r.kind)}</span>
                    </Num>
                  </td>
                  <td class="n">
                    <Num source={source} about="Null model">
                      {show(r.e.null_model, r.kind)}
                    </Num>
                  </td>
                  <td class="n">
                    <Num source={source} about="Distance from the predicted median; 1 is the limit of the 90 % interval">
                      {Number.isFinite(r.distance) ? r.distance.toFixed(2) : "–"}
                    </Num>
                  </td>
                  <td>
                    <PlaceButton where={r.e.source} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {shownRows.length > most && (
          <button type="button" onClick={() => setQuery({ all: "1" })}>
            Show all {shownRows.length}
          </button>
        )}
      </section>
      <Scores v={v} source={source} />
      {v.misses.some((m) => m.reason) && (
        <section class="panel" aria-label="Reasons">
          <h2>What is known about the misses</h2>
          <dl class="facts">
            {v.misses
              .filter((m) => m.reason)
              .map((m, i) => (
                <>
                  <dt key={`${i}t`}>
                    <a href={trialHref(m.trial)}>{words(m.trial)}</a> {endpointShort(m.endpoint)}
                  </dt>
                  <dd key={i} data-source={source}>
                    {m.reason}
                  </dd>
                </>
              ))}
          </dl>
        </section>
      )}
      <RunLine run={run} />
    </div>
  );
}

/** Share of figures inside their 50, 80 and 90 % intervals beside the share that is meant. */
function Levels({ rows, source }: { rows: Row[]; source: string }) {
  const levels = [50, 80, 90] as const;
  const shares = levels.map((l) => {
    const of = rows.filter((r) => typeof (r.e as unknown as Record<string, unknown>)[`low${l}`] === "number");
    const inside = of.filter((r) => {
      const low = (r.e as unknown as Record<string, number>)[`low${l}`] as number;
      const high = (r.e as unknown as Record<string, number | null>)[`high${l}`];
      const x = r.e.published as number;
      return x >= low && (high === null || high === undefined || x <= high);
    });
    return { level: l, n: of.length, share: of.length ? inside.length / of.length : Number.NaN };
  });
  return (
    <section class="panel" aria-label="Calibration of the intervals">
      <h2>Calibration of the intervals</h2>
      <table data-source={source}>
        <thead>
          <tr>
            <th>interval</th>
            <th class="n">meant</th>
            <th class="n">found</th>
            <th>0 to 100&nbsp;%</th>
          </tr>
        </thead>
        <tbody>
          {shares
            .filter((s) => s.n > 0)
            .map((s) => (
              <tr key={s.level}>
                <td>
                  {s.level}&nbsp;% <span class="sub">{s.n} figures</span>
                </td>
                <td class="n">{s.level}&nbsp;%</td>
                <td class="n">
                  <strong>{Math.round(100 * s.share)}&nbsp;%</strong>
                </td>
                <td class="level">
                  <svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
                    <rect width="100" height="12" style={{ fill: "var(--sunk)" }} />
                    <rect width={100 * s.share} height="12" style={{ fill: "var(--s0)", fillOpacity: 0.55 }} />
                    <rect x={s.level - 0.5} width="1" height="12" style={{ fill: "var(--ink)" }} />
                  </svg>
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}

function scoreText(x: number | null, unit: string): string {
  if (x === null) return "–";
  return unit === "share" ? `${Math.round(100 * x)} %` : unit === "points" ? `${x.toFixed(1)} points` : x.toFixed(3);
}

function Scores({ v, source }: { v: Validation; source: string }) {
  const groups = Object.entries(v.scores);
  if (!groups.length) return null;
  return (
    <section class="panel" aria-label="Scores">
      <h2>Scores beside the baselines</h2>
      <div class="scroll">
        <table data-source={source}>
          <thead>
            <tr>
              <th>score</th>
              <th class="n">model</th>
              <th class="n">figures</th>
              <th>baselines, on the same figures</th>
            </tr>
          </thead>
          {groups.map(([g, scores]) => (
            <tbody key={g}>
              <tr class="group">
                <th colSpan={4} scope="rowgroup">
                  {GROUPS[g] ?? words(g)}
                </th>
              </tr>
              {Object.entries(scores).map(([name, s]: [string, ScoreRow]) => (
                <tr key={name}>
                  <td title={s.says}>{s.says || words(name)}</td>
                  <td class="n">
                    <strong>{scoreText(s.value, s.unit)}</strong>
                    {s.low95 !== undefined && (
                      <span class="sub">
                        {scoreText(s.low95, s.unit)} to {scoreText(s.high95 ?? null, s.unit)}
                      </span>
                    )}
                  </td>
                  <td class="n">{s.n}</td>
                  <td>
                    {Object.entries(s.versus ?? {}).map(([b, x]) => {
                      const beats = s.beats?.[b];
                      return (
                        <span key={b} class={`chip ${beats === true ? "good" : beats === false ? "bad" : ""}`}>
                          {beats === true ? "beats" : beats === false ? "does not beat" : "beside"} {words(b)} {scoreText(x.baseline, s.unit)}
                        </span>
                      );
                    })}
                  </td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </div>
    </section>
  );
}
