/** What is chosen on the map: its value, what acts on it, the claims it rests on and where they are printed. */

import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { compact, signed } from "../format";
import { entryHref, traceHref } from "../links";
import type { DrugLink, EvidenceEntry, LayoutLoop, NetworkLayout, Place, StateItem } from "../types";
import { Num, PlaceButton } from "../widgets/source";
import { claimsOf, hasUntreated, headingOf, labelOf, mostApart, unitText } from "./about";
import type { Named } from "./card";
import { change, largestChanges, type Frame } from "./frame";
import { valueText } from "./map";

interface Props {
  layout: NetworkLayout;
  frame: Frame;
  untreatedGrowth: number;
  drugLinks: DrugLink[];
  selected: string | null;
  onSelect: (id: string | null) => void;
  source: string;
  /** Both conditions where two stand side by side. */
  pair?: readonly [Named, Named] | undefined;
}

interface Row {
  id: string;
  text: string;
  other: string;
  strength: number;
  sign: number;
}

export function Detail(props: Props) {
  const { layout, frame, selected, onSelect, source } = props;
  const label = (id: string): string => labelOf(layout, id);
  if (!selected) return props.pair ? <Apart {...props} pair={props.pair} /> : <Changes {...props} label={label} />;
  const loop = layout.loops.find((l) => l.id === selected);
  const link = layout.links.find((l) => l.id === selected);
  const box = layout.boxes.find((b) => b.id === selected) ?? layout.drugs.find((d) => d.id === selected);
  const item = frame.items[selected];
  const incoming: Row[] = [];
  const outgoing: Row[] = [];
  if (box) {
    for (const l of layout.links) {
      const s = frame.links[l.id] ?? 0;
      if (l.target === selected) incoming.push({ id: l.id, text: label(l.source), other: l.source, strength: s, sign: l.sign });
      if (l.source === selected) outgoing.push({ id: l.id, text: label(l.target), other: l.target, strength: s, sign: l.sign });
    }
    for (const l of props.drugLinks) {
      if (l.target === selected) incoming.push({ id: l.source, text: label(l.source), other: l.source, strength: l.strength, sign: l.sign });
      if (l.source === selected) outgoing.push({ id: l.target, text: label(l.target), other: l.target, strength: l.strength, sign: l.sign });
    }
    for (const l of layout.loops) {
      const s = Math.abs(frame.loops[l.id] ?? 0);
      if (l.target === selected) incoming.push({ id: l.id, text: `${label(l.driver)}, slowly`, other: l.driver, strength: s, sign: l.sign });
      if (l.driver === selected) outgoing.push({ id: l.id, text: `${label(l.target)}, slowly`, other: l.target, strength: s, sign: l.sign });
    }
  }
  const claims = claimsOf(layout, selected);
  const heading = headingOf(layout, selected);
  return (
    <section class="panel" aria-label="Chosen on the map">
      <header>
        <h2>{heading}</h2>
        <button type="button" class="quiet icon" aria-label="Close, show what changed most" onClick={() => onSelect(null)}>
          ×
        </button>
      </header>
      {item && (
        <dl class="facts" data-source={source}>
          {(props.pair ?? [{ name: "now", frame }]).map((f) => {
            const own = f.frame.items[selected];
            return own ? (
              <>
                <dt key={`${f.name}t`}>{f.name}</dt>
                <dd key={f.name}>
                  <Num source={source} about={`${heading}, ${f.name}`}>
                    <strong>{valueText(own)}</strong> {unitText(own.unit)}
                  </Num>
                  {selected.startsWith("drug:") && " at the cell"}
                </dd>
              </>
            ) : null;
          })}
          {hasUntreated(selected) && (
            <>
              <dt>untreated</dt>
              <dd>
                <Num source={source} about={`${heading}, untreated`}>
                  {valueText({ ...item, value: item.untreated })}
                </Num>
              </dd>
            </>
          )}
        </dl>
      )}
      {link && <Strength value={frame.links[link.id] ?? 0} source={source} />}
      {loop && <LoopFacts loop={loop} value={frame.loops[loop.id] ?? 0} label={label} source={source} />}
      <About text={link?.about ?? loop?.about ?? (box && "about" in box ? box.about : "")} />
      <Acting title="Acted on by" rows={incoming} onSelect={onSelect} source={source} />
      <Acting title="Acts on" rows={outgoing} onSelect={onSelect} source={source} />
      <Claims ids={claims} />
      <TraceLink box={box} />
    </section>
  );
}

function TraceLink({ box }: { box: { id: string } | undefined }) {
  const id = box && "trace" in box ? (box as { trace: string | null }).trace : null;
  if (!id) return null;
  return (
    <p class="small">
      <a href={traceHref(id)}>What this rests on, and what rests on it</a>
    </p>
  );
}

/** The text without its list of claims, which is shown with links below. */
function About({ text }: { text: string }) {
  const lines = text
    .split("\n")
    .map((l) => l.replace(/;?\s*claims: .*$/, "").trim())
    .filter(Boolean);
  if (!lines.length) return null;
  return (
    <div class="small muted about" data-source="text">
      {lines.slice(0, 6).map((l, i) => (
        <p key={i}>{l}</p>
      ))}
    </div>
  );
}

function Strength({ value, source }: { value: number; source: string }) {
  return (
    <p>
      Passes now:{" "}
      <Num source={source} about="Strength of this arrow, 0 to 1">
        <strong>{value.toFixed(2)}</strong>
      </Num>
    </p>
  );
}

function LoopFacts({ loop, value, label, source }: { loop: LayoutLoop; value: number; label: (id: string) => string; source: string }) {
  return (
    <p>
      {label(loop.driver)} {loop.sign > 0 ? "raises" : "lowers"} {label(loop.target)} over days to weeks; now{" "}
      <Num source={source} about={loop.label}>
        <strong>{value.toFixed(2)}</strong>
      </Num>
    </p>
  );
}

function Acting(props: { title: string; rows: Row[]; onSelect: (id: string) => void; source: string }) {
  if (!props.rows.length) return null;
  const rows = [...props.rows].sort((a, b) => b.strength - a.strength).slice(0, 12);
  return (
    <div class="acting">
      <h3>{props.title}</h3>
      <ul>
        {rows.map((r) => (
          <li key={r.id + r.other}>
            <button type="button" class="link" onClick={() => props.onSelect(r.id)}>
              {r.sign > 0 ? "" : "⊣ "}
              {r.text}
            </button>
            <span class="meter" aria-hidden="true">
              <i style={{ width: `${Math.round(100 * Math.min(r.strength, 1))}%`, background: r.sign > 0 ? "var(--act)" : "var(--inh)" }} />
            </span>
            <Num source={props.source} about={`${r.text}: strength`}>
              {r.strength.toFixed(2)}
            </Num>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Claims with the places where the sources state them. */
export function Claims({ ids }: { ids: string[] }) {
  const [found, set] = useState<EvidenceEntry[]>([]);
  useEffect(() => {
    let alive = true;
    set([]);
    Promise.allSettled(ids.slice(0, 8).map((id) => get<EvidenceEntry>(`/evidence/entry/claim/${encodeURIComponent(id)}`, { keep: true }))).then(
      (all) => alive && set(all.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []))),
    );
    return () => {
      alive = false;
    };
  }, [ids.join()]);
  if (!ids.length) return null;
  return (
    <div class="claims">
      <h3>Claims</h3>
      <ul class="plain">
        {ids.slice(0, 8).map((id) => {
          const entry = found.find((e) => e.id === id);
          return (
            <li key={id} data-source={`record:${id}`}>
              <a href={entryHref("claim", id)}>{entry?.title ?? id.replace(/_/g, " ")}</a>
              {entry?.places.slice(0, 2).map((p: Place) => (
                <PlaceButton key={p.label} where={p.label} />
              ))}
            </li>
          );
        })}
      </ul>
      {ids.length > 8 && <p class="small muted" data-source="text">and {ids.length - 8} more, in the trace</p>}
    </div>
  );
}

/** A value whose unit stands elsewhere. */
function bare(item: StateItem): string {
  return valueText(item).replace("/day", "");
}

/** Nothing is chosen: what changed most, and the slow states. */
function Changes(props: Props & { label: (id: string) => string }) {
  const { frame, layout, onSelect, source, label } = props;
  const rows = largestChanges(frame.items, 12);
  const slow = layout.loops
    .map((l) => [l, frame.loops[l.id] ?? 0] as const)
    .filter(([, v]) => Math.abs(v) > 0.01)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  return (
    <section class="panel" aria-label="What the drugs change">
      <h2>What changes</h2>
      <p class="growth">
        net growth{" "}
        <Num source={source} about="Net growth of the cell, now">
          <strong>{signed(frame.growth)}</strong>/day
        </Num>
        <span class="muted">
          untreated{" "}
          <Num source={source} about="Net growth, untreated">
            {signed(props.untreatedGrowth)}
          </Num>
        </span>
      </p>
      {rows.length === 0 ? (
        <p class="muted">Nothing differs from the untreated cell. Add a drug, or move a switch.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>part</th>
                <th class="n">untreated</th>
                <th class="n">now</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([id, item]) => (
                <tr key={id}>
                  <td>
                    <button type="button" class="link" onClick={() => onSelect(id)}>
                      {label(id)}
                    </button>
                    {item.unit === "1/day" && <span class="muted"> /day</span>}
                  </td>
                  <td class="n">
                    <Num source={source} about={`${label(id)}, untreated`}>
                      {bare({ ...item, value: item.untreated })}
                    </Num>
                  </td>
                  <td class="n">
                    <Num source={source} about={`${label(id)}, now`}>
                      {bare(item)} {item.value > item.untreated ? "▲" : "▼"}
                    </Num>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {slow.length > 0 && (
        <div class="acting">
          <h3>Slow states: adaptation and escape</h3>
          <ul>
            {slow.map(([l, v]) => (
              <li key={l.id}>
                <button type="button" class="link" onClick={() => onSelect(l.id)}>
                  {l.label}
                </button>
                <span class="meter" aria-hidden="true">
                  <i style={{ width: `${Math.round(100 * Math.min(Math.abs(v), 1))}%`, background: "var(--slow)" }} />
                </span>
                <Num source={source} about={l.label}>
                  {compact(v)}
                </Num>
              </li>
            ))}
          </ul>
        </div>
      )}
      <p class="small muted">Choose a box or an arrow for its value, its claims and their places in the reviews. In the map the arrow keys go from box to box.</p>
    </section>
  );
}

/** Nothing is chosen and two conditions stand side by side: where they differ most. */
function Apart({ layout, pair, onSelect, source }: Props & { pair: readonly [Named, Named] }) {
  const [a, b] = pair;
  const rows = mostApart(a.frame.items, b.frame.items, 14, change);
  const slow = layout.loops.filter((l) => Math.abs((a.frame.loops[l.id] ?? 0) - (b.frame.loops[l.id] ?? 0)) > 0.01);
  const cells = (name: string, untreated: string | null, x: string, y: string) => (
    <>
      <td class="n">{untreated !== null && <Num source={source} about={`${name}, untreated`}>{untreated}</Num>}</td>
      <td class="n">
        <Num source={source} about={`${name}, ${a.name}`}>{x}</Num>
      </td>
      <td class="n">
        <Num source={source} about={`${name}, ${b.name}`}>{y}</Num>
      </td>
    </>
  );
  return (
    <section class="panel" aria-label="Where the conditions differ">
      <h2>Where A and B differ</h2>
      {rows.length === 0 ? (
        <p class="muted">Nothing differs between them on this day.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>part</th>
                <th class="n">untreated A</th>
                <th class="n">A</th>
                <th class="n">B</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((id) => {
                const [x, y] = [a.frame.items[id], b.frame.items[id]] as [StateItem, StateItem];
                const name = labelOf(layout, id);
                return (
                  <tr key={id}>
                    <td>
                      <button type="button" class="link" onClick={() => onSelect(id)}>
                        {name}
                      </button>
                      {x.unit === "1/day" && <span class="muted"> /day</span>}
                    </td>
                    {cells(name, bare({ ...x, value: x.untreated }), bare(x), bare(y))}
                  </tr>
                );
              })}
              {slow.map((l) => (
                <tr key={l.id}>
                  <td>
                    <button type="button" class="link" onClick={() => onSelect(l.id)}>
                      {l.label}
                    </button>
                    <span class="muted"> slow</span>
                  </td>
                  {cells(l.label, null, compact(a.frame.loops[l.id] ?? 0), compact(b.frame.loops[l.id] ?? 0))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
