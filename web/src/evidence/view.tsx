/** The record: search with facets, entries, conflicts, the trace both ways, and meta-analyses. */

import { useEffect, useState } from "preact/hooks";
import { useGet } from "../api";
import { Forest } from "../charts/forest";
import { Figure } from "../charts/frame";
import { endpointShort, interval, regimen, show, title, words } from "../format";
import { entryHref, queryText, traceHref, traceKey } from "../links";
import { go, setQuery, useQuery, useRoute } from "../route";
import type { ConflictRow, EvidenceEntry, Facets, Hit, Meta, Place, Search, Trace, TraceNode } from "../types";
import { Failure, Segments, Select, TextField, Wait } from "../widgets/basic";
import { PlaceButton } from "../widgets/source";
import { TraceGraph } from "./graph";

const FACETS: [string, string][] = [
  ["kind", "Kind"],
  ["claim_kind", "Kind of claim"],
  ["level", "Level"],
  ["agent", "Agent"],
  ["mechanism", "Mechanism"],
  ["biomarker", "Biomarker"],
  ["line", "Setting"],
  ["endpoint", "Endpoint"],
  ["source", "Source"],
];
/** Facets that the search takes; the others only describe. */
const ASKED = ["kind", "level", "agent", "mechanism", "biomarker", "line", "endpoint", "source"];

export function EvidenceView() {
  const { path } = useRoute();
  const part = path[1] ?? "search";
  const tabs: [string, string, string][] = [
    ["search", "/evidence", "Search"],
    ["conflicts", "/evidence/conflicts", "Conflicts"],
    ["forest", "/evidence/forest", "Meta-analysis"],
    ["trace", "/evidence/trace", "Trace"],
  ];
  return (
    <>
      <div class="head">
        <div>
          <h1>Evidence</h1>
          <p>What the two reviews state, line by line: claims, mechanisms, agents, trials, printed figures, rules, and where they contradict each other.</p>
        </div>
        <nav aria-label="Evidence" class="segments links">
          {tabs.map(([id, href, text]) => (
            <a key={id} href={href} aria-current={part === id || (part === "entry" && id === "search") ? "page" : undefined}>
              {text}
            </a>
          ))}
        </nav>
      </div>
      {part === "conflicts" ? (
        <Conflicts />
      ) : part === "forest" ? (
        <MetaView />
      ) : part === "trace" ? (
        <TraceView />
      ) : part === "entry" && path[2] && path[3] ? (
        <EntryView kind={path[2]} id={path[3]} />
      ) : (
        <SearchView />
      )}
    </>
  );
}

export function Places({ places }: { places: readonly (Place | null | undefined)[] }) {
  return (
    <span class="row places">
      {places
        .filter((p): p is Place => Boolean(p))
        .slice(0, 4)
        .map((p) => (
          <PlaceButton key={p.label} where={p.label} />
        ))}
    </span>
  );
}

function SearchView() {
  const { query } = useRoute();
  const [q, setQ] = useState(query.get("q") ?? "");
  const text = query.get("q") ?? "";
  const offset = Number(query.get("offset") ?? 0) || 0;
  useEffect(() => setQ(text), [text]);
  useEffect(() => {
    if (q === text) return undefined;
    const timer = setTimeout(() => setQuery({ q: q || null, offset: null }), 220);
    return () => clearTimeout(timer);
  }, [q]);
  const facets = useGet<Facets>("/evidence/facets", true);
  const asked = new URLSearchParams();
  if (text) asked.set("q", text);
  for (const f of ASKED) if (query.get(f)) asked.set(f, query.get(f) as string);
  asked.set("limit", "25");
  if (offset) asked.set("offset", String(offset));
  const found = useGet<Search>(`/evidence?${asked}`);
  return (
    <div class="grid side">
      <aside class="panel no-print" aria-label="Facets">
        <form
          role="search"
          onSubmit={(e) => {
            e.preventDefault();
            setQuery({ q: q || null, offset: null });
          }}
        >
          <div class="field" data-source="user">
            <label for="q">Search the record</label>
            <input id="q" type="search" value={q} placeholder="PTEN, lapatinib, CLEOPATRA …" onInput={(e) => setQ(e.currentTarget.value)} />
          </div>
        </form>
        {FACETS.filter(([f]) => ASKED.includes(f)).map(([f, label]) => {
          const values = facets.data?.[f] ?? [];
          const chosen = query.get(f);
          if (!values.length) return null;
          return (
            <details class="facet" key={f} open={f === "kind" || chosen !== null}>
              <summary>
                {label}
                {chosen && <span class="chip"> {words(chosen)}</span>}
              </summary>
              <ul>
                {values.slice(0, 60).map((v) => (
                  <li key={v.value}>
                    <button type="button" aria-pressed={chosen === v.value} onClick={() => setQuery({ [f]: chosen === v.value ? null : v.value, offset: null })}>
                      <span data-source="text">{v.label ?? words(v.value)}</span>
                      <span class="muted tab" data-source="count:facets">
                        {v.count}
                      </span>
                    </button>
                  </li>
                ))}
              </ul>
            </details>
          );
        })}
      </aside>
      <section class="panel" aria-label="Results" aria-busy={found.busy}>
        <Failure error={found.error} />
        {found.data && (
          <>
            <p class="muted" role="status" data-source="count:search">
              {found.data.total} entries
              {found.data.hidden > 0 && `, ${found.data.hidden} more hold figures kept for validation and are not shown`}
              {found.data.suggestion && (
                <>
                  . Did you mean{" "}
                  <button type="button" class="link" onClick={() => setQuery({ q: found.data?.suggestion ?? null, offset: null })}>
                    {found.data.suggestion}
                  </button>
                  ?
                </>
              )}
            </p>
            {found.data.results.map((h) => (
              <Result key={`${h.kind}${h.id}`} hit={h} />
            ))}
            {found.data.total > 25 && (
              <div class="row between no-print">
                <button type="button" disabled={offset === 0} onClick={() => setQuery({ offset: offset > 25 ? String(offset - 25) : null })}>
                  Earlier
                </button>
                <span class="muted tab" data-source="text">
                  {offset + 1} to {Math.min(offset + 25, found.data.total)}
                </span>
                <button type="button" disabled={offset + 25 >= found.data.total} onClick={() => setQuery({ offset: String(offset + 25) })}>
                  Later
                </button>
              </div>
            )}
          </>
        )}
        {!found.data && !found.error && <Wait />}
      </section>
    </div>
  );
}

function Result({ hit }: { hit: Hit }) {
  return (
    <article class="result" data-source={`record:${traceKey(hit.kind, hit.id)}`}>
      <h3>
        <a href={entryHref(hit.kind, hit.id)}>{hit.title}</a>
      </h3>
      <p class="row small">
        <span class="chip">{hit.claim_kind ? `${hit.kind}: ${words(hit.claim_kind)}` : hit.kind}</span>
        {hit.level && <span class="chip">{words(hit.level)}</span>}
        {hit["supports"] === false && <span class="chip warn">does not support</span>}
        {Boolean(hit["likely_correct"]) && <span class="chip warn">probably misprinted</span>}
        {hit.user && <span class="chip good">your own record</span>}
        <Places places={hit.places} />
        <a class="small target" href={traceHref(traceKey(hit.kind, hit.id))}>
          trace
        </a>
      </p>
    </article>
  );
}

function EntryView({ kind, id }: { kind: string; id: string }) {
  const found = useGet<EvidenceEntry>(`/evidence/entry/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`, true);
  if (!found.data) return found.error ? <Failure error={found.error} /> : <Wait />;
  const e = found.data;
  return (
    <div class="grid side-right" data-source={`record:${traceKey(kind, id)}`}>
      <article class="panel">
        <p class="row small">
          <span class="chip">{e.kind}</span>
          <code>{e.id}</code>
        </p>
        <h2>{e.title}</h2>
        <p>
          <Places places={e.places} />
        </p>
        <Fields value={e.entry} />
      </article>
      <aside class="stack">
        <Neighbours title="Rests on" nodes={e.rests_on} />
        <Neighbours title="Supports" nodes={e.supports} />
        <p>
          <a href={traceHref(traceKey(kind, id))}>See the trace graph</a>
        </p>
      </aside>
    </div>
  );
}

function Neighbours({ title: heading, nodes }: { title: string; nodes: TraceNode[] }) {
  if (!nodes.length) return null;
  return (
    <section class="panel" aria-label={heading}>
      <h2>{heading}</h2>
      <ul class="plain neighbours">
        {nodes.slice(0, 25).map((n) => (
          <li key={n.key} data-source={`record:${n.key}`}>
            <a href={entryHref(n.kind, n.id)}>{n.label}</a>
            <span class="small muted">
              {n.kind}
              {n.why ? `, ${n.why}` : ""}
            </span>
          </li>
        ))}
      </ul>
      {nodes.length > 25 && (
        <p class="small muted" data-source="text">
          and {nodes.length - 25} more
        </p>
      )}
    </section>
  );
}

/** Fields of an entry, nested ones folded. */
function Fields({ value }: { value: Record<string, unknown> }) {
  const rows = Object.entries(value).filter(([k, v]) => !["id", "places", "curation", "curated"].includes(k) && v !== null && v !== "" && !(Array.isArray(v) && v.length === 0));
  return (
    <dl class="facts">
      {rows.map(([k, v]) => (
        <>
          <dt key={`${k}t`}>{words(k)}</dt>
          <dd key={k}>
            <Value v={v} />
          </dd>
        </>
      ))}
    </dl>
  );
}

function Value({ v }: { v: unknown }) {
  if (Array.isArray(v)) {
    if (v.every((x) => typeof x !== "object")) return <>{v.join(", ")}</>;
    return (
      <details>
        <summary>{v.length} entries</summary>
        {v.slice(0, 80).map((x, i) => (typeof x === "object" && x !== null ? <div class="nested" key={i}><Fields value={x as Record<string, unknown>} /></div> : <p key={i}>{String(x)}</p>))}
      </details>
    );
  }
  if (typeof v === "object" && v !== null) return <Fields value={v as Record<string, unknown>} />;
  return <>{typeof v === "boolean" ? (v ? "yes" : "no") : String(v)}</>;
}

function Conflicts() {
  const [about, setAbout] = useQuery("about");
  const [kind, setKind] = useQuery("kind");
  const found = useGet<{ total: number; conflicts: ConflictRow[] }>("/evidence/conflicts?limit=200", true);
  const all = found.data?.conflicts ?? [];
  const rows = all.filter((c) => (!kind || c.kind === kind) && (!about || `${c.id} ${c.about} ${c.statement_1} ${c.statement_2 ?? ""}`.toLowerCase().includes(about.toLowerCase())));
  return (
    <div class="stack">
      <section class="panel no-print" aria-label="Filters">
        <div class="fields">
          <TextField label="About" value={about} onChange={setAbout} />
          <Select label="Kind" value={kind} onChange={setKind}>
            <option value="">all</option>
            {[...new Set(all.map((c) => c.kind))].map((k) => (
              <option key={k} value={k}>
                {words(k)}
              </option>
            ))}
          </Select>
        </div>
      </section>
      <Failure error={found.error} />
      {!found.data && !found.error && <Wait />}
      {found.data && (
        <p class="muted" role="status" data-source="count:conflicts">
          {rows.length} of {found.data.total} conflicts: between the reviews, between table and text, or figures that cannot be right. Nothing is corrected silently.
        </p>
      )}
      {rows.map((c) => (
        <article class="panel conflict" key={c.id} data-source={`record:conflict:${c.id}`}>
          <header>
            <h2>
              <a href={entryHref("conflict", c.id)}>{words(c.about)}</a>
            </h2>
            <span class="chip">{words(c.kind)}</span>
          </header>
          <div class={c.statement_2 ? "grid two" : ""}>
            <blockquote>
              <p>{c.statement_1}</p>
              <PlaceButton where={c.place_1?.label} />
            </blockquote>
            {c.statement_2 && (
              <blockquote>
                <p>{c.statement_2}</p>
                <PlaceButton where={c.place_2?.label} />
              </blockquote>
            )}
          </div>
          {c.likely_resolution && (
            <p>
              <strong>Probably right:</strong> {c.likely_resolution}
            </p>
          )}
          {c.reason && <p class="small muted">{c.reason}</p>}
        </article>
      ))}
    </div>
  );
}

const CONTRASTS: [string, string][] = [
  ["add-her2", "HER2-targeted therapy added"],
  ["add-trastuzumab", "trastuzumab added"],
  ["add-pertuzumab", "pertuzumab added"],
  ["add-lapatinib", "lapatinib added"],
  ["add-mtor", "mTOR inhibitor added"],
];

function MetaView() {
  const [endpoint, setEndpoint] = useQuery("endpoint", "pfs");
  const [contrast, setContrast] = useQuery("contrast", "add-her2");
  const [method, setMethod] = useQuery("method", "reml");
  const facets = useGet<Facets>("/evidence/facets", true);
  const names = facets.data?.["contrast"]?.map((f) => [f.value, f.label ?? words(f.value)] as [string, string]) ?? CONTRASTS;
  const found = useGet<Meta>(`/evidence/forest?endpoint=${encodeURIComponent(endpoint)}&contrast=${encodeURIComponent(contrast)}&method=${method}&approximate=true`);
  const m = found.data;
  const source = `count:forest:${endpoint}`;
  const largest = Math.max(...(m?.studies.map((s) => s.weight) ?? [1]), 1e-9);
  return (
    <div class="stack">
      <section class="panel no-print" aria-label="Choose">
        <div class="fields">
          <Select label="Endpoint" value={endpoint} onChange={setEndpoint}>
            {["pfs", "os", "ttp", "dfs"].map((e) => (
              <option key={e} value={e}>
                {endpointShort(e)}
              </option>
            ))}
          </Select>
          <Select label="Contrast" value={contrast} onChange={setContrast}>
            {!names.some(([c]) => c === contrast) && <option value={contrast}>{contrast}</option>}
            {names.map(([c, text]) => (
              <option key={c} value={c}>
                {text}
              </option>
            ))}
          </Select>
          <Select label="Method" value={method} onChange={setMethod}>
            <option value="reml">random effects, REML</option>
            <option value="dl">random effects, DerSimonian and Laird</option>
            <option value="pm">random effects, Paule and Mandel</option>
            <option value="fixed">common effect</option>
          </Select>
        </div>
      </section>
      <Failure error={found.error} />
      {!m && !found.error && <Wait />}
      {m && (
        <section class="panel" aria-label="Forest" data-source={source}>
          {m.caveat && <p class="note">{m.caveat}</p>}
          <Figure name={`forest ${endpoint} ${contrast}`} source={source} caption="Hazard ratios as the reviews print them, held-out figures left out. Squares by weight; the diamond is the pooled estimate.">
            <Forest
              source={source}
              label="hazard ratio"
              left="better with it"
              right="worse"
              summary={m.studies.map((s) => `${s.name}: ${show(s.hr, "hr")} (${interval(s.ci_low, s.ci_high, "hr")})`).join("; ")}
              rows={[
                ...m.studies.map((s) => ({
                  key: `${s.study}${s.experimental}`,
                  label: `${s.name}${s.approximated ? " *" : ""}`,
                  note: `${regimen(s.experimental)} v ${regimen(s.control)}`,
                  value: s.hr,
                  low: s.ci_low,
                  high: s.ci_high,
                  weight: s.weight / largest,
                  source: `place:${s.places ?? s.study}`,
                })),
                ...(m.pooled ? [{ key: "pooled", label: `Pooled, ${m.pooled.n_studies} trials`, value: m.pooled.hr, low: m.pooled.ci_low, high: m.pooled.ci_high, bold: true, diamond: true }] : []),
                ...(m.pooled?.prediction_low != null
                  ? [{ key: "pred", label: "Prediction interval", value: m.pooled.hr, low: m.pooled.prediction_low, high: m.pooled.prediction_high ?? null, weight: 0.02 }]
                  : []),
              ]}
            />
          </Figure>
          {m.pooled && (
            <p class="tab small">
              I² {m.pooled.i2 == null ? "–" : `${Math.round(m.pooled.i2 > 1 ? m.pooled.i2 : 100 * m.pooled.i2)} %`}, τ² {m.pooled.tau2?.toFixed(3) ?? "–"}, p {m.pooled.p == null ? "–" : m.pooled.p < 0.001 ? "< 0.001" : m.pooled.p.toFixed(3)}
            </p>
          )}
          <div class="scroll">
          <table class="small">
            <thead>
              <tr>
                <th>trial</th>
                <th>compares</th>
                <th class="n">hazard ratio</th>
                <th>where</th>
              </tr>
            </thead>
            <tbody>
              {m.studies.map((s) => (
                <tr key={`${s.study}${s.experimental}`} data-source={`place:${s.places ?? s.study}`}>
                  <td>
                    <a href={entryHref("trial", s.study)}>{s.name}</a>
                    {s.approximated && " *"}
                  </td>
                  <td>
                    {regimen(s.experimental)} v {regimen(s.control)}
                  </td>
                  <td class="n">
                    {show(s.hr, "hr")} ({interval(s.ci_low, s.ci_high, "hr")})
                  </td>
                  <td>
                    <PlaceButton where={s.places} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          </div>
          {m.studies.some((s) => s.approximated) && <p class="small muted">* not printed as a hazard ratio: reconstructed from medians or a p value</p>}
          {m.left_out.length > 0 && (
            <details>
              <summary>{m.left_out.length} left out, and why</summary>
              <ul class="small">
                {m.left_out.map((x, i) => (
                  <li key={i}>
                    <strong>{words(x.study)}</strong>: {x.reason}
                  </li>
                ))}
              </ul>
            </details>
          )}
        </section>
      )}
    </div>
  );
}

function TraceView() {
  const { query } = useRoute();
  const id = query.get("id") ?? "";
  const direction = query.get("direction") ?? "both";
  const depth = query.get("depth") ?? "2";
  const [text, setText] = useState(id);
  useEffect(() => setText(id), [id]);
  const found = useGet<Trace>(id ? `/evidence/trace?id=${encodeURIComponent(id)}&direction=${direction}&depth=${depth}&limit=120` : null, true);
  return (
    <div class="stack">
      <section class="panel no-print" aria-label="Choose">
        <form
          class="row"
          data-source="user"
          onSubmit={(e) => {
            e.preventDefault();
            const q = new URLSearchParams(location.search);
            q.set("id", text);
            go(`/evidence/trace${queryText(q)}`);
          }}
        >
          <div class="field grow" data-source="user">
            <label for="trace-id">Entry, by its id</label>
            <input id="trace-id" value={text} placeholder="pten_loss" onInput={(e) => setText(e.currentTarget.value)} />
          </div>
          <button type="submit" class="primary">
            Trace
          </button>
          <Segments
            label="Direction"
            value={direction}
            options={[
              ["up", "rests on"],
              ["both", "both ways"],
              ["down", "supports"],
            ]}
            onChange={(d) => setQuery({ direction: d === "both" ? null : d })}
          />
          <Segments
            label="Depth"
            value={depth}
            options={[
              ["1", "1 step"],
              ["2", "2 steps"],
              ["3", "3 steps"],
            ]}
            onChange={(d) => setQuery({ depth: d === "2" ? null : d })}
          />
        </form>
      </section>
      {!id && (
        <section class="panel empty" data-source="text">
          <h2>From a figure to its sentences, and back</h2>
          <p>Enter an id of the record, or follow a trace link from a search, from the map or from a table. For example:</p>
          <p class="row center">
            {["pten_loss", "cleopatra", "lapatinib", "signalling.gain_her3"].map((x) => (
              <a key={x} class="chip" href={traceHref(x)}>
                {x}
              </a>
            ))}
          </p>
        </section>
      )}
      <Failure error={found.error} />
      {id && !found.data && !found.error && <Wait />}
      {id && found.data && <TraceResult trace={found.data} />}
    </div>
  );
}

function TraceResult({ trace }: { trace: Trace }) {
  return (
    <div class="stack">
      {trace.found.map((n) => (
        <section class="panel" key={n.key} data-source={`record:${n.key}`}>
          <p class="row small">
            <span class="chip">{n.kind}</span>
            <code>{n.id}</code>
          </p>
          <h2>
            <a href={entryHref(n.kind, n.id)}>{title(n.label)}</a>
          </h2>
        </section>
      ))}
      <TraceGraph trace={trace} />
      <div class="grid two">
        {trace.rests_on && <NodeList heading="Rests on" nodes={trace.rests_on.nodes} found={trace.found} cut={trace.rests_on.cut} />}
        {trace.supports && <NodeList heading="Supports" nodes={trace.supports.nodes} found={trace.found} cut={trace.supports.cut} />}
      </div>
    </div>
  );
}

function NodeList({ heading, nodes, found, cut }: { heading: string; nodes: TraceNode[]; found: TraceNode[]; cut: boolean }) {
  const own = new Set(found.map((n) => n.key));
  const rest = nodes.filter((n) => !own.has(n.key));
  const kinds = [...new Set(rest.map((n) => n.kind))];
  return (
    <section class="panel" aria-label={heading}>
      <h2>{heading}</h2>
      {rest.length === 0 && <p class="muted">nothing in the record</p>}
      {kinds.map((k) => {
        const of = rest.filter((n) => n.kind === k);
        return (
          <details key={k} open={of.length <= 12}>
            <summary data-source="count:trace">
              {title(k)} <span class="muted">{of.length}</span>
            </summary>
            <ul class="plain neighbours">
              {of.slice(0, 60).map((n) => (
                <li key={n.key} data-source={`record:${n.key}`}>
                  <a href={traceHref(n.key)}>{n.label}</a>
                </li>
              ))}
            </ul>
          </details>
        );
      })}
      {cut && <p class="small muted">There is more; fewer steps or one direction show all of it.</p>}
    </section>
  );
}
