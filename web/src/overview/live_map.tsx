/** The map of the first screen: a cell under four conditions to choose from, alive. */

import { useState } from "preact/hooks";
import { useGet } from "../api";
import { signed } from "../format";
import { queryText } from "../links";
import { ADAPTED, describe, writeCondition } from "../pathway/condition";
import { frameAt, frameOf } from "../pathway/frame";
import { MapLegend } from "../pathway/legend";
import { useLive } from "../pathway/live";
import { PathwayMap } from "../pathway/map";
import { Scrubber } from "../pathway/scrubber";
import type { Condition, NetworkLayout } from "../types";
import { Failure, Segments, Wait } from "../widgets/basic";
import { Num, runSource } from "../widgets/source";

const CONDITIONS: [string, string, Condition][] = [
  ["none", "untreated", { cell: "reference", drugs: {}, where: "tumour" }],
  ["t", "trastuzumab", { cell: "reference", drugs: { trastuzumab: "clinical" }, where: "tumour" }],
  ["tp", "+ pertuzumab", { cell: "reference", drugs: { trastuzumab: "clinical", pertuzumab: "clinical" }, where: "tumour" }],
  ["pten", "+ PTEN loss", { cell: "reference", drugs: { trastuzumab: "clinical", pertuzumab: "clinical" }, switches: { "pten-loss": 1 }, where: "tumour" }],
];

export function LiveMap() {
  const layout = useGet<NetworkLayout>("/network/layout", true);
  const [chosen, choose] = useState("tp");
  const [days, setDays] = useState(ADAPTED);
  const [selected, select] = useState<string | null>(null);
  const condition = (CONDITIONS.find(([id]) => id === chosen) ?? CONDITIONS[0])?.[2] as Condition;
  const live = useLive(condition);
  const href = `/pathway${queryText(new URLSearchParams(Object.entries(writeCondition(condition, "")).filter((p): p is [string, string] => Boolean(p[1]))))}`;
  if (layout.error) return <Failure error={layout.error} />;
  if (!layout.data || !live.state) return live.error ? <Failure error={live.error} /> : <section class="panel map-wait"><Wait>Solving the network …</Wait></section>;
  const frame = live.course && days < ADAPTED ? frameAt(live.course, live.state, days) : frameOf(live.state);
  const source = runSource(live.state.run);
  return (
    <section class="map" aria-label="Pathway map" data-source={source}>
      <header>
        <h2>
          <a href={href}>The pathway</a> of a HER2-positive cell
        </h2>
        <p class="growth">
          <span class="muted">net growth</span>
          <Num source={source} about="Net growth of the cell">
            <strong>{signed(frame.growth)}</strong>/day
          </Num>
        </p>
      </header>
      <div class="row map-tools no-print">
        <Segments label="Condition" value={chosen} options={CONDITIONS.map(([id, text]) => [id, text] as const)} onChange={choose} />
      </div>
      <Scrubber days={days} onDays={setDays} ready={live.course !== undefined} />
      <PathwayMap
        layout={layout.data}
        frame={frame}
        drugLinks={live.state.drug_links}
        drugs={Object.keys(condition.drugs ?? {})}
        colouring="level"
        selected={selected}
        onSelect={select}
        source={source}
        title={describe(condition)}
      />
      <MapLegend colouring="level" />
    </section>
  );
}
