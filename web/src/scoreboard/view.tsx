/** Validation as a page: what the model misses comes first; every dot leads to its trial and to the source line. */

import { useMemo, useState } from "preact/hooks";
import { useGet } from "../api";
import { Agreement, Calibration, type Dot } from "../charts/bars";
import { Figure } from "../charts/frame";
import { endpointShort, interval, regimen, show, title, words, type Kind } from "../format";
import { trialHref } from "../links";
import { setQuery, useRoute } from "../route";
import { byDistance, distance, shareLimits } from "./distance";
import { trialNames } from "./names";
import type { ScoreRow, TrialRow, Validation, ValidationEndpoint } from "../types";
import { Select, Wait } from "../widgets/basic";
import { Num, PlaceButton, placeSource, RunLine, runSource } from "../widgets/source";

interface Row {
  key: string;
  trial: string;
  name: string;
  title: string;
  setting: string;
  line: string;
  classes: readonly string[];
  who: string;
  e: ValidationEndpoint;
  kind: Kind;
  /** Whether the null model simulated the trial at all: only then a missing median of its own is one not reached. */
  nullRan: boolean;
  /** How far the published figure lies outside: distance from the median in half widths of the 90 % interval. */
  distance: number;
}

const ROLES: Record<string, string> = { fit: "fitted", held_out: "held out", context: "not used" };
const GROUPS: Record<string, string> = { fit: "Fitted figures: reproduction", held_out: "Held-out figures: prediction", context: "Neither fitted nor held out", leave_one_out: "Each trial left out of the fit" };

const SUMMARY: Record<string, string> = { fit: "fitted figures", held_out: "held-out figures", context: "figures neither fitted nor held out" };

const LINES = ["adjuvant", "neoadjuvant", "first_line", "second_line", "third_line_plus", "mixed", "cns_prevention", "cns_untreated", "cns_treated", "not_stated"];
const SIZE = 460;
const LARGE = 900;

export function kindOf(statistic: string): Kind {
  return statistic === "hr" ? "hr" : statistic === "rate" ? "rate" : "median";
}

export function ScoreboardView() {
  const { query } = useRoute();
  const held = query.get("held") === "1";
  const validation = useGet<Validation>(held ? "/validation?held_out=true" : "/validation", true);
  const trials = useGet<{ trials: TrialRow[] }>("/trials", true);
  return (
    <>
      <div class="head">
        <div>
          <h1>Scoreboard</h1>
          <p>Published figures beside their predictions, misses first. Fitted figures show reproduction only; what was not fitted shows prediction.</p>
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

function rowsOf(v: Validation, trials: readonly TrialRow[], names: ReadonlyMap<string, string>): Row[] {
  return v.trials.flatMap((t) => {
    const known = trials.find((k) => k.id === t.id);
    const arm = (id: string): string => known?.arms.find((a) => a.id === id)?.label ?? regimen(id);
    const nullRan = t.endpoints.some((e) => typeof e.null_model === "number");
    return t.endpoints
      .filter((e) => e.published !== null)
      .map((e, i) => ({
        key: `${t.id}/${i}`,
        trial: t.id,
        name: names.get(t.id) ?? words(t.id),
        title: t.title,
        setting: known?.setting ?? "",
        line: known?.line ?? "",
        classes: known?.classes ?? [],
        who: (e.arm ? arm(e.arm) : e.contrast ? `${arm(e.contrast.experimental)} v ${arm(e.contrast.control)}` : "") + (e.subgroup ? `, ${words(e.subgroup)}` : ""),
        e,
        kind: kindOf(e.statistic),
        nullRan,
        distance: distance(e),
      }));
  });
}

function Board({ v, trials, query }: { v: Validation; trials: TrialRow[]; query: URLSearchParams }) {
  const names = useMemo(() => trialNames(v.trials), [v]);
  const rows = useMemo(() => rowsOf(v, trials, names), [v, trials, names]);
  const role = query.get("role") ?? "";
  const statistic = query.get("statistic") ?? "";
  const endpoint = query.get("endpoint") ?? "";
  const line = query.get("line") ?? "";
  const tested = query.get("class") ?? "";
  const [chosen, choosePoint] = useState<string | null>(null);
  const large = query.get("plot");
  const shownRows = rows
    .filter((r) => (!role || r.e.role === role) && (!statistic || r.e.statistic === statistic) && (!endpoint || r.e.endpoint === endpoint))
    .filter((r) => (!line || r.line === line) && (!tested || r.classes.includes(tested)))
    .sort(byDistance);
  const run = { id: v.digest, digest: v.digest, version: v.version, posterior: v.posterior_digest };
  const source = runSource(run);
  const roles = ["held_out", "context", "fit"].filter((x) => shownRows.some((r) => r.e.role === x));
  const hidden = v.hidden ?? 0;
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
  const unique = (f: (r: Row) => string | readonly string[]): string[] => [...new Set(rows.flatMap(f))].filter(Boolean).sort();
  return (
    <div class="stack">
      <section class="panel" aria-label="In short" data-source={source}>
        <div class="big">
          {roles.map((x) => {
            const of = shownRows.filter((r) => r.e.role === x);
            const inside = of.filter((r) => r.e.inside90).length;
            return (
              <div key={x}>
                <strong>
                  {inside} of {of.length}
                </strong>
                <span>
                  {SUMMARY[x]} inside their 90&nbsp;% interval, {show(inside / of.length, "rate")}
                </span>
              </div>
            );
          })}
          <div>
            <strong>{new Set(shownRows.map((r) => r.trial)).size}</strong>
            <span>trials</span>
          </div>
        </div>
        {hidden > 0 ? (
          <div class="note">
            <p>
            {hidden} held-out figures are not shown: neither their published values nor any score that counts them. What stands here is mostly reproduction and says little about prediction; the held-out scores are in the documentation, under Validation. Who is about to change the model had better not look.
            </p>
            <button type="button" class="no-print" onClick={() => setQuery({ held: "1" })}>
              Show them
            </button>
          </div>
        ) : v.held_out ? (
          <p class="note row">
            Held-out figures are shown.
            <button type="button" class="no-print" onClick={() => setQuery({ held: null })}>
              Hide them
            </button>
          </p>
        ) : (
          <p class="note">Held-out figures were not read in this run and are not shown here.</p>
        )}
      </section>
      <section class="panel no-print" aria-label="Filters">
        <div class="fields">
          {choose("role", "Role", unique((r) => r.e.role), (x) => ROLES[x] ?? x)}
          {choose("statistic", "Statistic", unique((r) => r.e.statistic), (x) => ({ hr: "hazard ratio", rate: "rate", median: "median" })[x] ?? x)}
          {choose("endpoint", "Endpoint", unique((r) => r.e.endpoint), endpointShort)}
          {choose("line", "Line", LINES.filter((l) => rows.some((r) => r.line === l)), (x) => title(words(x)))}
          {choose("class", "Class tested", unique((r) => r.classes), (x) => title(words(x)))}
        </div>
      </section>
      <div class="grid plots">
        {(["median", "rate", "hr"] as const).map((s) => {
          const of = shownRows.filter((r) => r.e.statistic === s);
          if (of.length < 2) return null;
          // misses last, so that they lie on top
          const dots: Dot[] = [...of]
            .reverse()
            .filter((r) => r.e.published !== null && r.e.predicted !== null)
            .map((r) => ({
              key: r.key,
              x: r.e.published as number,
              y: r.e.predicted as number,
              low: r.e.low90,
              high: r.e.high90,
              label: `${r.name}, ${endpointShort(r.e.endpoint)}, ${r.who}`,
              inside: r.e.inside90 === true,
              source: `place:${r.e.source ?? ""}`,
            }));
          const point = of.find((r) => r.key === chosen);
          const name = s === "hr" ? "hazard ratio" : s === "rate" ? "rate" : "median";
          return (
            <section class={`panel${large === s ? " wide" : ""}`} key={s} aria-label={`Predicted against published ${name}`}>
              <header>
                <h2>{title(name)}s</h2>
                <button type="button" class="link small no-print" aria-pressed={large === s} onClick={() => setQuery({ plot: large === s ? null : s })}>
                  {large === s ? "Smaller" : "Larger"}
                  <span class="hidden"> picture of {name}s</span>
                </button>
              </header>
              <Figure name={`validation ${name}`} source={source} caption="Bars: 90 % predictive intervals. Diamonds lie outside. Choose one for its trial and the line that prints it.">
                <Agreement dots={dots} most={large === s ? LARGE : SIZE} chosen={point ? chosen : null} onChoose={choosePoint} unit={s === "hr" ? "" : s === "rate" ? "%" : "months"} logarithmic={s !== "rate"} source={source} name={name} text={(x) => (s === "rate" ? `${Math.round(100 * x)}` : String(Number(x.toPrecision(2))))} />
              </Figure>
              <div role="status">{point && <Chosen row={point} source={source} />}</div>
            </section>
          );
        })}
        <Levels rows={shownRows} source={source} />
      </div>
      <section class="panel" aria-label="Figures, misses first">
        <h2>Misses first</h2>
        <p class="small muted" data-source="text">
          In red: outside the 90&nbsp;% interval. Off by: distance from the predicted median, 1 at the limit of that interval.
        </p>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>trial</th>
                <th>figure</th>
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
                    <a href={trialHref(r.trial)} title={r.title} data-source="text">
                      {r.name}
                    </a>
                    <span class="sub">{ROLES[r.e.role] ?? r.e.role}</span>
                  </td>
                  <td class="what" data-source="text">
                    {r.kind === "hr" ? "HR " : r.kind === "median" ? "median " : ""}
                    {endpointShort(r.e.endpoint)}
                    <span class="sub">{r.who}</span>
                  </td>
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
                      {r.nullRan ? show(r.e.null_model, r.kind) : "–"}
                    </Num>
                  </td>
                  <td class="n">
                    <Num source={source} about="Distance from the predicted median; 1 is the limit of the 90 % interval">
                      {Number.isFinite(r.distance) ? r.distance.toFixed(2) : "–"}
                    </Num>
                  </td>
                  <td class="where">
                    <PlaceButton where={r.e.source} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {shownRows.length > most && (
          <button type="button" data-source="count:figures" onClick={() => setQuery({ all: "1" })}>
            Show all {shownRows.length}
          </button>
        )}
      </section>
      <Scores v={v} source={source} />
      {v.misses.some((m) => m.reason) && (
        <section class="panel" aria-label="Reasons">
          <h2>What is known about the misses</h2>
          <dl class="facts reasons">
            {v.misses
              .filter((m) => m.reason)
              .map((m, i) => (
                <>
                  <dt key={`${i}t`}>
                    <a href={trialHref(m.trial)} data-source="text">
                      {names.get(m.trial) ?? words(m.trial)}
                    </a>{" "}
                    <span data-source="text">
                      {endpointShort(m.endpoint)}, {regimen(m.who)}
                    </span>
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

/** A figure chosen in a picture, and what it leads to. */
function Chosen({ row, source }: { row: Row; source: string }) {
  const e = row.e;
  return (
    <div class="note small" data-source={source}>
      <p>
        <strong data-source="text">{row.name}</strong>, {endpointShort(e.endpoint)}
        {row.who && `, ${row.who}`}: published{" "}
        <Num source={e.figure ? `record:${e.figure}` : placeSource(e.source)}>
          <strong>{show(e.published, row.kind)}</strong>
        </Num>
        , predicted <strong>{show(e.predicted, row.kind)}</strong> ({interval(e.low90, e.high90, row.kind)})
      </p>
      <p class="row">
        <a href={trialHref(row.trial)}>Go to the trial</a>
        <PlaceButton where={e.source} />
      </p>
    </div>
  );
}

/** Share of figures inside their 50, 80 and 90 % intervals beside the share that is meant, fitted figures apart. */
function Levels({ rows, source }: { rows: Row[]; source: string }) {
  const series = ["fit", "context", "held_out"].flatMap((role) => {
    const of = rows.filter((r) => r.e.role === role);
    const levels = ([50, 80, 90] as const).flatMap((l) => {
      const limits = of.flatMap((r) => {
        const low = r.e[`low${l}`];
        return typeof low === "number" ? [{ x: r.e.published as number, low, high: r.e[`high${l}`] ?? null }] : [];
      });
      if (!limits.length) return [];
      const inside = limits.filter((i) => i.x >= i.low && (i.high === null || i.x <= i.high)).length;
      const [low, high] = shareLimits(inside, limits.length);
      return [{ meant: l / 100, found: inside / limits.length, low, high, n: limits.length }];
    });
    return levels.length ? [{ name: ROLES[role] ?? role, levels }] : [];
  });
  if (!series.length) return null;
  return (
    <section class="panel" aria-label="Calibration of the intervals">
      <h2>Calibration of the intervals</h2>
      <Figure name="validation calibration" source={source} caption="Bars: exact 95&nbsp;% limits, as if figures were independent. On the dashed line the intervals hold what they promise; below it they are too narrow.">
        <Calibration series={series} source={source} />
      </Figure>
    </section>
  );
}

const BASELINES: Record<string, string> = { constant_hr: "HR = 0.8" };

/** What a score says beside that of a baseline, in words. */
function verdict(beats: boolean | null | undefined, better: string): string {
  if (better === "nominal") return beats === true ? "nearer than" : beats === false ? "not nearer than" : "as near as";
  return beats === true ? "beats" : beats === false ? "does not beat" : better === "none" ? "" : "as good as";
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
                  <td class="wide-cell">{s.says ? s.says.replace(/^[A-Z_]+(?=:)/, (x) => endpointShort(x.toLowerCase())) : words(name)}</td>
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
                    <span class="row chips">
                      {Object.entries(s.versus ?? {}).map(([b, x]) => {
                      const beats = s.beats?.[b];
                      return (
                        <span key={b} class={`chip ${beats === true ? "good" : beats === false ? "bad" : ""}`}>
                          {verdict(beats, s.better)} {BASELINES[b] ?? words(b)}: {scoreText(x.baseline, s.unit)}
                        </span>
                      );
                    })}
                    </span>
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
