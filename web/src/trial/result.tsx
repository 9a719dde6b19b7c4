/** The result of a trial: curves and table, response, patients, subgroups, uncertainty, adverse events, files. */

import { useMemo, useState } from "preact/hooks";
import { useGet } from "../api";
import { Icons, Spider, Split, Swimmer, type Swim, term, Waterfall } from "../charts/bars";
import { Forest } from "../charts/forest";
import { download, Figure } from "../charts/frame";
import { KaplanMeier } from "../charts/km";
import { endpointShort, ENDPOINTS, show, thousands, title, words } from "../format";
import type { JobFile, SwimmerPatient, TrialResult } from "../types";
import { useQuery } from "../route";
import { Segments, Tabs, Wait } from "../widgets/basic";
import { Num, RunLine, runSource } from "../widgets/source";
import { resultCsv } from "./csv";
import { armRows, contrastRows, labels, publishedMedians } from "./rows";
import { ResultTable } from "./table";

type Tab = "survival" | "response" | "patients" | "subgroups" | "uncertainty" | "events" | "baseline" | "files";

export function TrialResultView({ result, jobId, hasFiles }: { result: TrialResult; jobId: string | null; hasFiles: boolean }) {
  const [tab, setTab] = useQuery("part", "survival");
  const a = result.result;
  const source = runSource(result.run);
  const options: [Tab, string][] = [["survival", "Survival"]];
  if (result.waterfall?.length || armRows(a).some((r) => r.kind === "rate")) options.push(["response", "Response"]);
  if (result.swimmer?.length || result.spider?.length) options.push(["patients", "Patients"]);
  if (result.forest?.some((f) => f.rows.length > 0)) options.push(["subgroups", "Subgroups"]);
  if ([...armRows(a), ...contrastRows(a)].some((r) => r.estimate.uncertainty)) options.push(["uncertainty", "Uncertainty"]);
  if (Object.values(a.adverse_events).some((rows) => rows.length > 0)) options.push(["events", "Adverse events"]);
  if (a.baseline.length) options.push(["baseline", "Baseline"]);
  options.push(["files", "Files"]);
  const current = options.some(([t]) => t === tab) ? (tab as Tab) : "survival";
  return (
    <div class="panel">
      <Tabs label="Parts of the result" value={current} options={options} onChange={setTab}>
        {current === "survival" && <Survival result={result} />}
        {current === "response" && <Response result={result} />}
        {current === "patients" && <Patients result={result} />}
        {current === "subgroups" && <Subgroups result={result} />}
        {current === "uncertainty" && <Uncertainty result={result} />}
        {current === "events" && <Events result={result} />}
        {current === "baseline" && <Baseline result={result} />}
        {current === "files" && <TableFile result={result} />}
        {current === "files" && (jobId ? <Files jobId={jobId} ready={hasFiles} /> : <NoFiles />)}
      </Tabs>
      <RunLine run={result.run}>
        <Num source={source} about="Virtual patients on every arm">
          {thousands(a.patients)}
        </Num>{" "}
        virtual patients on every arm, <Num source={source}>{a.failed_patients.length}</Num> failed;
      </RunLine>
    </div>
  );
}

function Survival({ result }: { result: TrialResult }) {
  const endpoints = Object.keys(result.curves).filter((e) => result.curves[e]?.length);
  const [asked, set] = useQuery("endpoint", endpoints.includes("pfs") ? "pfs" : (endpoints[0] ?? ""));
  const [of, setOf] = useState<"all" | "trial">("all");
  const endpoint = endpoints.includes(asked) ? asked : (endpoints[0] ?? "");
  const curves = (of === "trial" ? result.trial_curves : result.curves)?.[endpoint] ?? [];
  const source = runSource(result.run);
  return (
    <div class="stack">
      <div class="row between no-print">
        {endpoints.length > 1 && <Segments label="Endpoint" value={endpoint} options={endpoints.map((e) => [e, endpointShort(e)] as const)} onChange={set} />}
        {result.trial_curves?.[endpoint] && (
          <Segments
            label="Patients drawn"
            value={of}
            options={[
              ["all", "all virtual patients"],
              ["trial", "one trial of the real size"],
            ]}
            onChange={setOf}
          />
        )}
      </div>
      {curves.length > 0 ? (
        <Figure
          name={`${result.result.trial} ${endpoint}`}
          source={source}
          caption={
            of === "trial"
              ? "One randomised trial of the published size, with its 95 % confidence band. Diamonds: published medians on the 50 % line, with their intervals where printed."
              : "Every virtual patient on every arm; the band is the 95 % confidence of the curve, not the prediction interval of a trial, which the table gives. Diamonds: published medians on the 50 % line, with their intervals where printed."
          }
        >
          <KaplanMeier endpoint={endpoint} curves={curves} labels={labels(result)} published={publishedMedians(result.result, endpoint)} source={source} />
        </Figure>
      ) : (
        <p class="muted">This trial has no endpoint with times.</p>
      )}
      <ResultTable result={result} />
      <Misses result={result} />
    </div>
  );
}

export function Misses({ result }: { result: TrialResult }) {
  const a = result.result;
  const source = runSource(result.run);
  const judged = [...armRows(a), ...contrastRows(a)].filter((r) => r.estimate.published !== null);
  if (!judged.length) return <p class="note">No published figures stand beside this trial: predictions only.</p>;
  const out = judged.filter((r) => r.outside).length;
  return (
    <div class={`note${out ? " bad" : ""}`} data-source={source}>
      {out === 0 ? (
        <p>
          All {judged.length} published figures lie inside their 90 % predictive intervals.
        </p>
      ) : (
        <>
          <p>
            <strong>
              {out} of {judged.length} published figures lie outside their 90 % predictive intervals.
            </strong>
          </p>
          {a.misses.length > 0 && (
            <ul>
              {a.misses.map((m) => (
                <li key={m}>{m.replace(/^Misses: /, "")}</li>
              ))}
            </ul>
          )}
        </>
      )}
    </div>
  );
}

function Response({ result }: { result: TrialResult }) {
  const source = runSource(result.run);
  const names = labels(result);
  const rates = armRows(result.result).filter((r) => r.kind === "rate" && (r.endpoint === "orr" || r.endpoint === "pcr"));
  return (
    <div class="grid two">
      {(result.waterfall ?? []).map((w) => (
        <Figure key={w.arm} name={`waterfall ${w.arm}`} source={source}>
          <Waterfall label={names[w.arm] ?? w.arm} patients={w.patients} source={source} />
        </Figure>
      ))}
      {rates.map((r) => (
        <div key={r.key}>
          <h3>
            {r.armLabel}: {ENDPOINTS[r.endpoint]}
          </h3>
          <Icons
            source={source}
            summary={`Of 100 patients ${Math.round(100 * (r.estimate.value ?? 0))} respond`}
            groups={[
              { label: "respond", share: r.estimate.value ?? 0, fill: "var(--s0)" },
              { label: "do not", share: 1 - (r.estimate.value ?? 0), fill: "var(--sunk)" },
            ]}
          />
          <p class="small muted" data-source="text">
            out of 100 such patients; 90&nbsp;% interval of a trial:{" "}
            <Num source={source} about={`${r.name}, 90 % interval`}>
              {show(r.estimate.low, "rate")} to {show(r.estimate.high, "rate")}
            </Num>
          </p>
        </div>
      ))}
    </div>
  );
}

const BEST: Record<string, string> = { "COMPLETE RESPONSE": "CR", "PARTIAL RESPONSE": "PR", "STABLE DISEASE": "SD", "PROGRESSIVE DISEASE": "PD", "NOT EVALUABLE": "NE" };

function swim(p: SwimmerPatient): Swim {
  const n = (v: unknown): number | null => (typeof v === "number" ? v : null);
  const death = n(p["death"]);
  const progression = n(p["progression"]);
  const end = n(p["end"]) ?? death ?? progression ?? 0;
  const best = typeof p["best"] === "string" ? p["best"] : "NE";
  // a lane ends where progression-free survival does; what comes after is not treatment on the trial
  const until = progression ?? death ?? end;
  return { until, response: BEST[best] ?? best, responseAt: n(p["response"]), progression, death: death !== null && death <= until + 0.01 ? death : null, ongoing: progression === null && death === null };
}

function Patients({ result }: { result: TrialResult }) {
  const source = runSource(result.run);
  const names = labels(result);
  const lanes = useMemo(() => (result.swimmer ?? []).map((s) => ({ arm: s.arm, lanes: s.patients.map(swim) })), [result]);
  return (
    <div class="stack">
      <p class="small muted" data-source="text">The first {lanes[0]?.lanes.length ?? 40} patients of each arm of one randomised trial.</p>
      <div class="grid two">
        {lanes.map((s) => (
          <Figure key={s.arm} name={`swimmer ${s.arm}`} source={source}>
            <Swimmer label={names[s.arm] ?? s.arm} lanes={s.lanes} source={source} />
          </Figure>
        ))}
        {(result.spider ?? []).map((s) => (
          <Figure key={s.arm} name={`spider ${s.arm}`} source={source}>
            <Spider label={names[s.arm] ?? s.arm} patients={s.patients} source={source} />
          </Figure>
        ))}
      </div>
    </div>
  );
}

function Subgroups({ result }: { result: TrialResult }) {
  const source = runSource(result.run);
  const names = labels(result);
  return (
    <div class="stack">
      {(result.forest ?? []).map((f) => (
        <Figure
          key={f.experimental + f.endpoint}
          name={`subgroups ${f.experimental} ${f.endpoint}`}
          source={source}
          caption="Squares: what this trial would estimate, with 95 % confidence. Diamonds: the true effect, from counterfactual twins, every patient on both arms."
        >
          <h3>
            {names[f.experimental] ?? f.experimental} v {names[f.control] ?? f.control}, {ENDPOINTS[f.endpoint] ?? f.endpoint}
          </h3>
          <Forest
            rows={f.rows.map((r, i) => ({
              key: r.subgroup,
              label: `${r.subgroup === "all" ? "All patients" : title(words(r.subgroup))} (${thousands(r.n)})`,
              note: `${thousands(r.events)} events`,
              value: r.hr,
              low: r.low,
              high: r.high,
              other: r.true_hr,
              weight: r.events / Math.max(...f.rows.map((x) => x.events), 1),
              bold: i === 0,
            }))}
            label="hazard ratio"
            left="better with the first arm"
            right="worse"
            otherName="true effect, from twins"
            source={source}
            summary={f.rows.map((r) => `${words(r.subgroup)}: hazard ratio ${show(r.hr, "hr")}, true ${show(r.true_hr, "hr")}`).join("; ")}
          />
        </Figure>
      ))}
    </div>
  );
}

function Uncertainty({ result }: { result: TrialResult }) {
  const rows = [...armRows(result.result), ...contrastRows(result.result)].flatMap((r) =>
    r.estimate.uncertainty ? [{ key: r.key, label: r.kind === "hr" ? r.name : `${r.name.replace(", months", "")}, ${r.armLabel}`, shares: r.estimate.uncertainty }] : [],
  );
  return (
    <Figure
      name={`uncertainty ${result.result.trial}`}
      source={runSource(result.run)}
      caption="Share of the variance of each predicted statistic: parameters that the posterior does not fix, the patients who happen to be enrolled, their events and scans, and what differs between trials."
    >
      <Split rows={rows} source={runSource(result.run)} />
    </Figure>
  );
}

function Events({ result }: { result: TrialResult }) {
  const source = runSource(result.run);
  const names = labels(result);
  return (
    <div class="stack">
      <p class="small muted" data-source="text">Until progression. Rates are given to the model from the record, not predicted by it; “stopped” is how often the event ended a drug.</p>
      <div class="grid two">
        {Object.entries(result.result.adverse_events).map(([arm, rows]) => (
          <div class="scroll" key={arm}>
            <table>
              <caption class="left">{names[arm] ?? arm}</caption>
              <thead>
                <tr>
                  <th>event</th>
                  <th class="n">grade 3–4</th>
                  <th class="n">published</th>
                  <th class="n">any grade</th>
                  <th class="n">stopped</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((r) => (
                  <tr key={r.term}>
                    <td title={r.given_from}>{term(r.term)}</td>
                    <td class="n">
                      <Num source={source} about={`${term(r.term)}, grade 3–4`}>
                        {show(r.grade_3_4, "rate")}
                      </Num>
                    </td>
                    <td class="n">
                      <Num source={r.given_from ? `place:${r.given_from}` : "text"} about={`${term(r.term)}, published grade 3–4`}>
                        {show(r.published_grade_3_4, "rate")}
                      </Num>
                    </td>
                    <td class="n">
                      <Num source={source} about={`${term(r.term)}, any grade`}>
                        {show(r.any_grade, "rate")}
                      </Num>
                    </td>
                    <td class="n">
                      <Num source={source} about={`${term(r.term)} stopped a drug`}>
                        {show(r.discontinued, "rate")}
                      </Num>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ))}
      </div>
    </div>
  );
}

function Baseline({ result }: { result: TrialResult }) {
  const source = runSource(result.run);
  const text = (x: number | null): string => (x === null ? "–" : x > 0 && x <= 1 ? show(x, "rate") : show(x));
  return (
    <div class="scroll">
      <table>
        <caption class="hidden">Baseline of the virtual patients beside what the population asks for</caption>
        <thead>
          <tr>
            <th>characteristic</th>
            <th class="n">asked for</th>
            <th class="n">drawn</th>
            <th>where from</th>
          </tr>
        </thead>
        <tbody>
          {result.result.baseline.map((r) => (
            <tr key={r.name}>
              <td data-source="text">{title(words(r.name))}</td>
              <td class="n">
                <Num source={r.source ? `place:${r.source}` : "text"} about={`${r.name}, asked for`}>
                  {text(r.recipe)}
                </Num>
              </td>
              <td class="n">
                <Num source={source} about={`${r.name}, drawn`}>
                  {text(r.drawn)}
                </Num>
              </td>
              <td class="small" data-source={`place:${r.source}`}>{r.source}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const WHATS: Record<string, string> = { archive: "Everything in one archive", record: "Run record", picture: "Pictures", adam: "ADaM-shaped tables", table: "Other tables" };

function groupOf(f: JobFile): string {
  return f.what === "table" && /^AD[A-Z]+\./.test(f.name) ? "adam" : f.what;
}

function TableFile({ result }: { result: TrialResult }) {
  return (
    <p class="row" data-source="text">
      <button type="button" onClick={() => download(`${result.result.trial}.csv`, new Blob([resultCsv(result)], { type: "text/csv" }))}>
        Predicted beside published, CSV
      </button>
    </p>
  );
}

function NoFiles() {
  return (
    <p class="muted">
      This run came with the package. Run the trial, and pictures, tables of every patient (CSV, Parquet), ADaM-shaped tables and the run record stand here; pictures can be taken as SVG or PNG under each chart.
    </p>
  );
}

function Files({ jobId, ready }: { jobId: string; ready: boolean }) {
  const files = useGet<{ files: JobFile[] }>(ready ? `/jobs/${encodeURIComponent(jobId)}/files` : null);
  if (!ready) return <Wait>Pictures and tables are being made …</Wait>;
  if (!files.data) return files.error ? <p class="note bad">{files.error.message}</p> : <Wait />;
  const all = files.data.files;
  const groups = [...new Set([...Object.keys(WHATS), ...all.map(groupOf)])].filter((g) => all.some((f) => groupOf(f) === g));
  return (
    <div class="grid two" data-source="text">
      {groups.map((g) => (
        <div key={g}>
          <h3>{WHATS[g] ?? title(g)}</h3>
          <ul class="plain">
            {all
              .filter((f) => groupOf(f) === g)
              .map((f) => (
                <li key={f.name}>
                  <a href={`/api/jobs/${encodeURIComponent(jobId)}/files/${encodeURIComponent(f.name)}`} download={f.name}>
                    {f.name}
                  </a>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </div>
  );
}
