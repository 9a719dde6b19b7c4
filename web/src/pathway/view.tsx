/** The pathway: one condition or two side by side, over the days of adaptation. */

import { useEffect, useState } from "preact/hooks";
import { useGet } from "../api";
import { signed } from "../format";
import { setQuery, useRoute } from "../route";
import type { Condition, NetworkLayout } from "../types";
import { Failure, Segments, Wait } from "../widgets/basic";
import { Num, RunLine, runSource } from "../widgets/source";
import { ADAPTED, describe, readCondition, writeCondition } from "./condition";
import type { Named } from "./card";
import { Controls, useLists, type Lists } from "./controls";
import { Detail } from "./detail";
import { frameAt, frameOf, type Frame } from "./frame";
import { MapLegend } from "./legend";
import { type Live, useLive } from "./live";
import { type Colouring, PathwayMap } from "./map";
import { dayText, Scrubber } from "./scrubber";

const COLOURINGS = [
  ["level", "level"],
  ["change", "change from untreated"],
] as const;

/** A condition whose address follows a moment after the sliders. */
function useCondition(suffix: string): [Condition, (c: Condition) => void] {
  const { query } = useRoute();
  const text = query.toString();
  const [value, set] = useState(() => readCondition(query, suffix));
  const [mine, setMine] = useState(false);
  useEffect(() => {
    if (!mine) set(readCondition(new URLSearchParams(text), suffix));
  }, [text]);
  useEffect(() => {
    if (!mine) return undefined;
    const timer = setTimeout(() => {
      setQuery(writeCondition(value, suffix));
      setMine(false);
    }, 200);
    return () => clearTimeout(timer);
  }, [value, mine]);
  return [
    value,
    (c) => {
      setMine(true);
      set(c);
    },
  ];
}

export function PathwayView() {
  const { query } = useRoute();
  const layout = useGet<NetworkLayout>("/network/layout", true);
  const lists = useLists();
  const both = query.get("compare") === "1";
  const [a, setA] = useCondition("");
  const [b, setB] = useCondition("_b");
  const [edited, edit] = useState<"a" | "b">("a");
  const colouring: Colouring = query.get("colour") === "change" ? "change" : "level";
  const selected = query.get("on");
  const [days, setDays] = useState(() => {
    const d = Number(query.get("day") ?? ADAPTED);
    return d >= 0 && d <= ADAPTED ? d : ADAPTED;
  });
  useEffect(() => {
    const timer = setTimeout(() => setQuery({ day: days === ADAPTED ? null : String(Number(days.toFixed(2))) }), 300);
    return () => clearTimeout(timer);
  }, [days]);
  const liveA = useLive(a);
  const liveB = useLive(both ? b : null);
  const select = (id: string | null): void => setQuery({ on: id });
  const current = both && edited === "b" ? liveB : liveA;
  const frame = shown(current, days);
  const other = both ? [shown(liveA, days), shown(liveB, days)] : [];
  const pair = other[0] && other[1] ? ([{ name: "A", frame: other[0] }, { name: "B", frame: other[1] }] as const) : undefined;
  const frames = pair ? [...pair] : undefined;
  return (
    <>
      <div class="head">
        <div>
          <h1>Pathway</h1>
          <p>Receptors, dimers, pathways, drugs and escape routes of one cell. Move a slider and the map follows; the slow states then adapt over four weeks.</p>
        </div>
        <div class="row no-print">
          <Segments label="Colour by" value={colouring} options={COLOURINGS} onChange={(c) => setQuery({ colour: c === "level" ? null : c })} />
          <button
            type="button"
            aria-pressed={both}
            onClick={() => {
              if (both) {
                edit("a");
                setQuery({ compare: null, ...writeCondition({ cell: "reference", drugs: {}, switches: {}, ligands: {}, where: "tumour" }, "_b") });
              } else {
                setQuery({ compare: "1", ...writeCondition({ ...a, drugs: { ...a.drugs }, switches: {} }, "_b") });
                edit("b");
              }
            }}
          >
            Side by side
          </button>
        </div>
      </div>
      <div class="stack">
        {both && (
          <Segments
            label="Condition to edit"
            value={edited}
            options={[
              ["a", "Condition A"],
              ["b", "Condition B"],
            ]}
            onChange={edit}
          />
        )}
        <Controls key={edited} value={edited === "b" ? b : a} onChange={edited === "b" ? setB : setA} lists={lists.data} />
        <Failure error={lists.error} />
      </div>
      <div class={`grid map-grid${both ? " wide-maps" : ""}`}>
        <div>
          {layout.error && <Failure error={layout.error} />}
          {!layout.data && !layout.error && <Wait>Loading the map …</Wait>}
          {layout.data && (
            <div class={`maps${both ? " both" : ""}`}>
              <OneMap name={both ? "A" : ""} layout={layout.data} live={liveA} condition={a} days={days} onDays={setDays} colouring={colouring} selected={selected} onSelect={select} lists={lists.data} frames={frames} />
              {both && (
                <OneMap name="B" layout={layout.data} live={liveB} condition={b} days={days} onDays={setDays} colouring={colouring} selected={selected} onSelect={select} lists={lists.data} frames={frames} />
              )}
            </div>
          )}
        </div>
        <div class="stack">
          {layout.data && frame && current.state && (
            <Detail
              layout={layout.data}
              frame={frame}
              untreatedGrowth={current.state.untreated_growth}
              drugLinks={current.state.drug_links}
              selected={selected}
              onSelect={select}
              source={runSource(current.state.run)}
              pair={pair}
            />
          )}
          <RunLine run={current.state?.run}>Values of the model's central cell.</RunLine>
        </div>
      </div>
    </>
  );
}

function shown(live: Live, days: number): Frame | undefined {
  if (!live.state) return undefined;
  return live.course && days < ADAPTED ? frameAt(live.course, live.state, days) : frameOf(live.state);
}

interface OneProps {
  name: string;
  layout: NetworkLayout;
  live: Live;
  condition: Condition;
  days: number;
  onDays: (d: number) => void;
  colouring: Colouring;
  selected: string | null;
  onSelect: (id: string | null) => void;
  lists: Lists | undefined;
  frames: Named[] | undefined;
}

function OneMap({ name, layout, live, condition, days, onDays, colouring, selected, onSelect, lists, frames }: OneProps) {
  const frame = shown(live, days);
  const cellName = lists?.cells.find((c) => c.id === condition.cell)?.name ?? condition.cell;
  const title = describe(condition, lists?.agents, cellName);
  if (!live.state || !frame) return live.error ? <Failure error={live.error} /> : <Wait>Solving the network …</Wait>;
  const source = runSource(live.state.run);
  return (
    <section class="map" aria-label={name ? `Condition ${name}` : "Map"} data-source={source}>
      <header>
        <h2>
          {name && <span class="chip">{name}</span>} {title}
        </h2>
        <p class="growth">
          <span class="muted">net growth</span>
          <Num source={source} about="Net growth of the cell">
            <strong class={frame.growth < 0 ? "falls" : ""}>{signed(frame.growth)}</strong>/day
          </Num>
          <span class="muted">{dayText(live.course || days === ADAPTED ? days : ADAPTED)}</span>
        </p>
      </header>
      <Scrubber days={days} onDays={onDays} ready={live.course !== undefined} />
      {live.error && <Failure error={live.error} />}
      <PathwayMap
        layout={layout}
        frame={frame}
        drugLinks={live.state.drug_links}
        drugs={Object.entries(condition.drugs ?? {})
          .filter(([, d]) => d !== 0)
          .map(([id]) => id)}
        colouring={colouring}
        selected={selected}
        onSelect={onSelect}
        source={source}
        title={title}
        frames={frames}
      />
      <MapLegend colouring={colouring} />
    </section>
  );
}
