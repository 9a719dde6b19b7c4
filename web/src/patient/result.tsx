/** One patient explained: what the rules give, what each option would do, which escape routes stand against it. */

import { useState } from "preact/hooks";
import { Icons } from "../charts/bars";
import { AxisBottom, colour, Figure, useWidth } from "../charts/frame";
import { KaplanMeier } from "../charts/km";
import { linear, monthTicks } from "../charts/scale";
import { interval, regimen, show, title, words } from "../format";
import { traceHref } from "../links";
import { useQuery } from "../route";
import type { Curve, Run } from "../types";
import { Segments, Tabs } from "../widgets/basic";
import { Num, RunLine, runSource } from "../widgets/source";
import type { Course, Ground, PatientAnswer, PatientCurves, Rate, Times } from "./types";

type Tab = "options" | "routes" | "limits" | "missing" | "rules" | "words";

export function PatientResult({ answer, run, curves }: { answer: PatientAnswer; run: Run; curves: PatientCurves }) {
  const [tab, setTab] = useQuery("part", "options");
  const source = runSource(run);
  const options: [Tab, string][] = [["options", "Options and courses"]];
  if (answer.routes.length) options.push(["routes", "Escape routes"]);
  if (answer.courses.some((c) => c.limits.length)) options.push(["limits", "What limits it"]);
  if (answer.missing.length) options.push(["missing", "Not known"]);
  options.push(["rules", "Rules"], ["words", "In words"]);
  const current = options.some(([t]) => t === tab) ? (tab as Tab) : "options";
  return (
    <div class="panel">
      {answer.refusals.length > 0 && (
        <div class="note warn" role="status" data-source={source}>
          <p>
            <strong>No course is predicted.</strong>
          </p>
          <ul>
            {answer.refusals.map((r, i) => (
              <li key={i}>{r.says}</li>
            ))}
          </ul>
        </div>
      )}
      {answer.advice.gate.map((g, i) => (
        <p class="note warn" key={i} data-source={source}>
          <strong>{words(g.decision)}</strong> {String(g["says"] ?? g["why"] ?? "")}
        </p>
      ))}
      <Tabs label="Parts of the answer" value={current} options={options} onChange={setTab}>
        {current === "options" && <Options answer={answer} source={source} curves={curves} />}
        {current === "routes" && <Routes answer={answer} source={source} />}
        {current === "limits" && <Limits answer={answer} source={source} />}
        {current === "missing" && <Missing answer={answer} source={source} />}
        {current === "rules" && <Rules answer={answer} />}
        {current === "words" && <Sentences answer={answer} source={source} />}
      </Tabs>
      <p class="note warn" data-source="text">{answer.research_use}</p>
      <RunLine run={run}>
        {answer.twins && (
          <>
            <Num source={source}>{Math.round(answer.twins.effective)}</Num> effective twins of <Num source={source}>{answer.twins.drawn}</Num> drawn,{" "}
            <Num source={source}>{answer.twins.members}</Num> members of the posterior;
          </>
        )}
      </RunLine>
    </div>
  );
}

function RateCell({ rate, source, about }: { rate: Rate; source: string; about: string }) {
  return (
    <Num source={source} about={about}>
      <strong>{rate.of_100}</strong>
      <span class="sub">
        {rate.interval_90[0]} to {rate.interval_90[1]}
      </span>
    </Num>
  );
}

function TimesCell({ times, source, about }: { times: Times; source: string; about: string }) {
  return (
    <Num source={source} about={about}>
      <strong>{show(times.median, "median")}</strong>
      <span class="sub">{interval(times.interval_90[0], times.interval_90[1], "median")}</span>
    </Num>
  );
}

function Options({ answer, source, curves }: { answer: PatientAnswer; source: string; curves: PatientCurves }) {
  const { courses } = answer;
  const [chosen, choose] = useState(courses[0]?.regimen ?? "");
  const course = courses.find((c) => c.regimen === chosen) ?? courses[0];
  if (!courses.length) return <OptionList answer={answer} />;
  return (
    <div class="stack">
      <div class="scroll">
        <table>
          <caption class="hidden">What each option would do in patients like this one</caption>
          <thead>
            <tr>
              <th>option</th>
              <th class="n">
                respond <span class="sub" data-source="text">of 100</span>
              </th>
              <th class="n">
                without progression <span class="sub">months</span>
              </th>
              <th class="n">
                survival <span class="sub">months</span>
              </th>
              <th class="n">
                brain metastases <span class="sub" data-source="text">of 100</span>
              </th>
              <th class="n">
                grade 3–4 <span class="sub" data-source="text">of 100</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {courses.map((c) => {
              const option = answer.advice.options.find((o) => o.regimen === c.regimen);
              return (
                <tr key={c.regimen} class={c === course ? "chosen" : ""}>
                  <td>
                    <button type="button" class="link" aria-pressed={c === course} onClick={() => choose(c.regimen)}>
                      {regimen(c.regimen)}
                    </button>
                    <span class="sub">{option ? words(option.strength) : c.verdict || "named by you"}</span>
                  </td>
                  <td class="n">
                    <RateCell rate={c.orr} source={source} about={`${regimen(c.regimen)}: respond, of 100`} />
                  </td>
                  <td class="n">
                    <TimesCell times={c.pfs} source={source} about={`${regimen(c.regimen)}: median time without progression`} />
                  </td>
                  <td class="n">
                    <TimesCell times={c.os} source={source} about={`${regimen(c.regimen)}: median survival`} />
                  </td>
                  <td class="n">
                    <RateCell rate={c.brain} source={source} about={`Brain metastases within ${c.brain_months} months`} />
                  </td>
                  <td class="n">
                    <RateCell rate={c.severe} source={source} about="Any adverse event of grade 3–4; rates are given to the model" />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <Figure name="courses" source={source} caption="Time without progression: the line holds nine tenths of such patients, the bar half of them, the mark is the median. An arrow: beyond the time followed.">
        <Ranges courses={courses} source={source} />
      </Figure>
      <Courses courses={courses} curves={curves} source={source} />
      {course && (
        <div class="grid two">
          <section aria-label={`Of 100 such patients on ${regimen(course.regimen)}`}>
            <h3>
              Of <span data-source="text">100</span> such patients on {regimen(course.regimen)}
            </h3>
            <Icons
              source={source}
              summary={`${course.orr.of_100} of 100 respond, ${100 - course.orr.of_100} do not`}
              groups={[
                { label: "respond", share: course.orr.value, fill: "var(--s0)" },
                { label: "do not", share: 1 - course.orr.value, fill: "var(--line-2)" },
              ]}
            />
          </section>
          <section aria-label="Adverse events">
            <h3>Adverse events of grade 3–4</h3>
            {course.events.length === 0 ? (
              <p class="muted">The record knows none for this regimen.</p>
            ) : (
              <table>
                <tbody>
                  {course.events.slice(0, 7).map((e) => (
                    <tr key={e.term}>
                      <td title={e.given_from}>{title(e.label)}</td>
                      <td class="n">
                        <Num source={source} about={`${e.label}, of 100`}>
                          {e.rate.of_100}
                        </Num>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
          <section aria-label="Why it is an option">
            <h3>Why it is an option</h3>
            <Grounds grounds={answer.advice.options.find((o) => o.regimen === course.regimen)?.grounds ?? []} />
            {(answer.advice.options.find((o) => o.regimen === course.regimen)?.marks ?? []).map((m) => (
              <p class="note small" key={m} data-source={`record:${course.rules[0] ?? "rule"}`}>
                {m}
              </p>
            ))}
          </section>
          <section aria-label="After it">
            <h3>Then, by the rules of the trial engine</h3>
            <ol>
              {course.later.map(([r, rule], i) => (
                <li key={i}>
                  {regimen(r)} {rule && <a class="small" href={traceHref(rule)}>rule</a>}
                </li>
              ))}
            </ol>
            <p class="small muted" data-source="text">
              {course.doses}
            </p>
          </section>
        </div>
      )}
      {answer.not_predicted.length > 0 && (
        <details>
          <summary>Options without a predicted course</summary>
          <ul class="small" data-source={source}>
            {answer.not_predicted.map((n) => (
              <li key={n.regimen}>
                <strong>{regimen(n.regimen)}</strong>: {n.says}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

const MOST_CURVES = 6;

/** Time without progression and survival of the twins on each option. */
function Courses({ courses, curves, source }: { courses: Course[]; curves: PatientCurves; source: string }) {
  const [endpoint, set] = useState<"pfs" | "os">("pfs");
  const shown = courses.filter((c) => curves[c.regimen]).slice(0, MOST_CURVES);
  if (!shown.length) return null;
  const rows: Curve[] = shown.map((c) => {
    const of = curves[c.regimen]?.[endpoint] ?? { time: [], survival: [] };
    return { arm: c.regimen, time: of.time, survival: of.survival, median: c[endpoint].median };
  });
  return (
    <section class="stack" aria-label="Predicted courses">
      <div class="row between">
        <h3>Predicted courses</h3>
        <Segments
          label="Endpoint"
          value={endpoint}
          options={[
            ["pfs", "without progression"],
            ["os", "survival"],
          ]}
          onChange={set}
        />
      </div>
      <Figure name={`courses ${endpoint}`} source={source} caption="Patients like this one, weighed by how well they fit what is known; the later lines are those of the rules.">
        <KaplanMeier endpoint={endpoint} curves={rows} labels={Object.fromEntries(shown.map((c) => [c.regimen, regimen(c.regimen)]))} source={source} />
      </Figure>
      {courses.length > shown.length && <p class="small muted" data-source="text">The first {shown.length} options are drawn.</p>}
    </section>
  );
}

function Ranges({ courses, source }: { courses: Course[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const left = Math.min(width * 0.38, 250);
  const ends = courses.flatMap((c) => [c.pfs.interval_90[1], c.pfs.interval_50[1], c.pfs.median]).filter((v): v is number => typeof v === "number");
  const end = Math.max(12, Math.ceil(Math.max(...ends, 0) / 6) * 6);
  const x = linear([0, end], [left, width - 14]);
  const h = 28;
  const height = courses.length * h + 6;
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${width} ${height + 40}`} role="img" aria-label={courses.map((c) => `${regimen(c.regimen)}: median ${show(c.pfs.median, "median")} months`).join("; ")} data-chart="ranges">
        <AxisBottom scale={x} y={height} ticks={monthTicks(end, 8)} label="months without progression" gridTo={0} />
        {courses.map((c, i) => {
          const y = i * h + h / 2 + 3;
          const cap = (v: number | null): number => x(v === null ? end : Math.min(v, end));
          return (
            <g key={c.regimen}>
              <text x={0} y={y + 4}>
                {regimen(c.regimen).slice(0, Math.floor(left / 6.4))}
              </text>
              <path d={`M${cap(c.pfs.interval_90[0])},${y}H${cap(c.pfs.interval_90[1])}`} style={{ stroke: colour(0), strokeWidth: 1.6 }} />
              {c.pfs.interval_90[1] === null && <path d={`M${x(end)},${y - 4}l6,4l-6,4z`} style={{ fill: colour(0) }} />}
              <rect x={cap(c.pfs.interval_50[0])} y={y - 5.5} width={Math.max(cap(c.pfs.interval_50[1]) - cap(c.pfs.interval_50[0]), 1)} height={11} rx={2} style={{ fill: colour(0), fillOpacity: 0.32 }} />
              {c.pfs.median !== null && <path d={`M${cap(c.pfs.median)},${y - 8}v16`} style={{ stroke: "var(--ink)", strokeWidth: 2.4 }} />}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Grounds({ grounds }: { grounds: Ground[] }) {
  return (
    <ul class="plain neighbours">
      {grounds.map((g) => (
        <li key={g.rule} data-source={`record:rule:${g.rule}`}>
          <a href={traceHref(g.rule)}>{g.says}</a>
          <span class="small muted">
            {words(g.strength)}; {g.lines.join(", ")}
          </span>
        </li>
      ))}
      {grounds.length === 0 && <li class="muted">No rule gives it; you named it.</li>}
    </ul>
  );
}

function OptionList({ answer }: { answer: PatientAnswer }) {
  if (!answer.advice.options.length) return <p class="muted">The rules give no option for this state.</p>;
  return (
    <ol>
      {answer.advice.options.map((o) => (
        <li key={o.regimen} data-source={`record:rule:${o.grounds[0]?.rule ?? ""}`}>
          <strong>{regimen(o.regimen)}</strong> <span class="chip">{words(o.strength)}</span>
          <Grounds grounds={o.grounds.slice(0, 3)} />
        </li>
      ))}
    </ol>
  );
}

function Routes({ answer, source }: { answer: PatientAnswer; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(560);
  const rows = [...answer.routes].sort((a, b) => b.posterior - a.posterior);
  const x = linear([0, 1], [6, Math.max(width * 0.3, 120)]);
  return (
    <div class="stack">
      <p class="small muted" data-source="text">
        Of 100 virtual patients like this one, how many have the route: hollow without the history of treatment, full with it. A route that the history makes likelier is likelier in the model.
      </p>
      <div class="scroll" ref={ref}>
        <table>
          <thead>
            <tr>
              <th>route</th>
              <th data-source="text">0 to 100</th>
              <th class="n">with the history</th>
              <th class="n">without</th>
              <th>named against it</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.id}>
                <td class="wide-cell">
                  {title(r.label)}
                  {r.known && <span class="chip"> known: {words(r.known)}</span>}
                  <span class="sub">
                    {r.ids[0] && <a href={traceHref(r.ids[0])}>what it rests on</a>}
                  </span>
                </td>
                <td>
                  <svg width={x(1) + 8} height={18} aria-hidden="true" data-source={source}>
                    <path d={`M${x(0)},9H${x(1)}`} style={{ stroke: "var(--line-2)" }} />
                    {r.prior !== null && <path d={`M${x(r.prior)},9H${x(r.posterior)}`} style={{ stroke: colour(0), strokeWidth: 2 }} />}
                    {r.prior !== null && <circle cx={x(r.prior)} cy={9} r={4.5} style={{ fill: "var(--panel)", stroke: colour(0), strokeWidth: 1.6 }} />}
                    <circle cx={x(r.posterior)} cy={9} r={5} style={{ fill: colour(0) }} />
                  </svg>
                </td>
                <td class="n">
                  <Num source={source} about={r.label}>
                    <strong>{Math.round(100 * r.posterior)}</strong>{r.posterior_error > 0 && <span class="muted"> ± {Math.max(1, Math.round(100 * r.posterior_error))}</span>}
                  </Num>
                </td>
                <td class="n">
                  <Num source={source} about={`${r.label}, without the history`}>
                    {r.prior === null ? "–" : Math.round(100 * r.prior)}
                  </Num>
                </td>
                <td class="small wide-cell" data-source="text">{r.overcome_by.map(regimen).join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Limits({ answer, source }: { answer: PatientAnswer; source: string }) {
  return (
    <div class="stack">
      <p class="small muted" data-source="text">The same twins without one escape route from the start of their disease: how much longer, on average over all twins, they would stay without progression.</p>
      {answer.courses
        .filter((c) => c.limits.length)
        .map((c) => (
          <section key={c.regimen} aria-label={regimen(c.regimen)}>
            <h3>{regimen(c.regimen)}</h3>
            <div class="scroll">
              <table>
                <thead>
                  <tr>
                    <th>route</th>
                    <th class="n">
                      months gained <span class="sub" data-source="text">90&nbsp;% interval</span>
                    </th>
                    <th class="n">
                      have it <span class="sub" data-source="text">of 100</span>
                    </th>
                    <th class="n">median with it</th>
                    <th class="n">median without</th>
                    <th>named against it</th>
                  </tr>
                </thead>
                <tbody>
                  {[...c.limits]
                    .sort((a, b) => b.gain.value - a.gain.value)
                    .slice(0, 10)
                    .map((l) => (
                      <tr key={l.route}>
                        <td class="wide-cell">
                          {l.ids[0] ? <a href={traceHref(l.ids[0])}>{title(l.label)}</a> : title(l.label)}
                        </td>
                        <td class="n">
                          <Num source={source} about={`Months gained without ${l.label}`}>
                            <strong>{l.gain.value.toFixed(1)}</strong>
                            <span class="sub">{interval(l.gain.interval_90[0], l.gain.interval_90[1], "median")}</span>
                          </Num>
                        </td>
                        <td class="n">
                          <Num source={source} about={`Carriers of ${l.label}`}>
                            {Math.round(100 * l.carriers)}
                          </Num>
                        </td>
                        <td class="n">
                          <Num source={source} about="Median with it, carriers">
                            {show(l.median_with, "median")}
                          </Num>
                        </td>
                        <td class="n">
                          <Num source={source} about="Median without it, carriers">
                            {show(l.median_without, "median")}
                          </Num>
                        </td>
                        <td class="small wide-cell" data-source="text">{[...new Set(l.overcome.map((o) => regimen(o.what)))].slice(0, 5).join(", ")}</td>
                      </tr>
                    ))}
                </tbody>
              </table>
            </div>
          </section>
        ))}
    </div>
  );
}

function Missing({ answer, source }: { answer: PatientAnswer; source: string }) {
  return (
    <div class="scroll">
      <table>
        <caption class="hidden">What is not known, and what it would change</caption>
        <thead>
          <tr>
            <th>not known</th>
            <th class="n">
              changes the course by <span class="sub">months, ± error</span>
            </th>
            <th>median time without progression by value</th>
            <th>changes the rules</th>
          </tr>
        </thead>
        <tbody>
          {answer.missing.map((m) => (
            <tr key={m.item}>
              <td>{m.label}</td>
              <td class="n">
                <Num source={source} about={`${m.label}: difference between its values`}>
                  {m.difference === null ? "–" : `${m.difference.toFixed(1)} ± ${(m.mc_error ?? 0).toFixed(1)}`}
                </Num>
              </td>
              <td data-source={source}>
                {m.values.map((v) => (
                  <div key={v.value}>
                    {words(v.value)}: {show(v.pfs, "median")}
                  </div>
                ))}
              </td>
              <td class="small wide-cell" data-source={source}>
                {m.rules ? `${m.rules.effect}: ${m.rules.outcomes.map((o) => `${words(o.value)} ${o.changes}`).join("; ")}` : "nothing"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Rules({ answer }: { answer: PatientAnswer }) {
  const a = answer.advice;
  return (
    <div class="stack">
      <section aria-label="Options in order">
        <h3>Options in order</h3>
        <OptionList answer={answer} />
      </section>
      {a.forbidden.length > 0 && (
        <section aria-label="Not to be given">
          <h3>Not to be given</h3>
          <ul class="plain neighbours">
            {a.forbidden.map((f) => (
              <li key={f.regimen + f.ground.rule} data-source={`record:rule:${f.ground.rule}`}>
                <span>
                  <strong>{regimen(f.regimen)}</strong>: <a href={traceHref(f.ground.rule)}>{f.ground.says}</a>
                </span>
                <span class="small muted">{f.ground.lines.join(", ")}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {a.conflicts.length > 0 && (
        <section aria-label="Rules that contradict each other">
          <h3>Rules that contradict each other</h3>
          <ul class="plain neighbours">
            {a.conflicts.map((c, i) => (
              <li key={i} data-source={`record:rule:${c.decided_by}`}>
                {c.says}
                <span class="small muted">{c.how}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {a.gaps.length > 0 && (
        <section aria-label="Gaps">
          <h3>Gaps</h3>
          <ul data-source="text">
            {a.gaps.map((g) => (
              <li key={g}>{g}</li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function Sentences({ answer, source }: { answer: PatientAnswer; source: string }) {
  return (
    <ul class="plain neighbours">
      {answer.sentences.map((s, i) => (
        <li key={i} data-source={source}>
          {s.text}
          <span class="row small">
            {s.ids.slice(0, 6).map((id) => (
              <a key={id} class="chip" href={traceHref(id)}>
                {id}
              </a>
            ))}
          </span>
        </li>
      ))}
    </ul>
  );
}
