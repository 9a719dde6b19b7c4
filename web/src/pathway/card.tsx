/** What the pointer is on: its value in each condition, its unit, the claims behind it and where they are printed. */

import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import type { EvidenceEntry, NetworkLayout } from "../types";
import { claimsOf, hasUntreated, headingOf, unitText } from "./about";
import type { Frame } from "./frame";
import { valueText } from "./map";

export interface Named {
  name: string;
  frame: Frame;
}

export interface Spot {
  id: string;
  /** Of the box or arrow in the map's own pixels: middle, top and bottom. */
  x: number;
  top: number;
  bottom: number;
  /** Whether there is no room below. */
  above: boolean;
  /** Width and height that can be seen, and how far the map is scrolled to the right. */
  width: number;
  height: number;
  scrolled: number;
}

const WIDTH = 288;
/** Height that a card may take, px. */
export const CARD_ROOM = 190;
const SHOWN = 2;

export function Card({ spot, layout, frames, source, onEnter, onLeave }: { spot: Spot; layout: NetworkLayout; frames: Named[]; source: string; onEnter: () => void; onLeave: () => void }) {
  const claims = claimsOf(layout, spot.id);
  const [found, set] = useState<EvidenceEntry[]>([]);
  useEffect(() => {
    let alive = true;
    set([]);
    Promise.allSettled(claims.slice(0, SHOWN).map((id) => get<EvidenceEntry>(`/evidence/entry/claim/${encodeURIComponent(id)}`, { keep: true }))).then(
      (all) => alive && set(all.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []))),
    );
    return () => {
      alive = false;
    };
  }, [spot.id]);
  const width = Math.min(WIDTH, spot.width - 12);
  const left = Math.min(Math.max(spot.x - width / 2, spot.scrolled + 6), Math.max(spot.scrolled + spot.width - width - 6, spot.scrolled + 6));
  const place = spot.above ? { bottom: `${spot.height - spot.top + 4}px` } : { top: `${spot.bottom + 4}px` };
  return (
    <div class="tip map-tip" data-source={source} style={{ left: `${left}px`, width: `${width}px`, ...place }} onPointerEnter={onEnter} onPointerLeave={onLeave} data-card={spot.id}>
      <strong>{headingOf(layout, spot.id)}</strong>
      <dl class="facts">{frames.map((f) => <Values key={f.name} {...f} layout={layout} id={spot.id} />)}</dl>
      {claims.length > 0 && (
        <ul class="plain small" data-source={`record:${claims[0]}`}>
          {claims.slice(0, SHOWN).map((id) => {
            const entry = found.find((e) => e.id === id);
            return (
              <li key={id}>
                {entry?.title ?? id.replace(/_/g, " ")}
                {entry && <span class="muted"> {entry.places.slice(0, 1).map((p) => p.label).join("")}</span>}
              </li>
            );
          })}
          {claims.length > SHOWN && <li class="muted">and {claims.length - SHOWN} more: click</li>}
        </ul>
      )}
    </div>
  );
}

function Values({ name, frame, layout, id }: Named & { layout: NetworkLayout; id: string }) {
  const item = frame.items[id];
  if (item)
    return (
      <>
        <dt>{name || (id.startsWith("drug:") ? "at the cell" : "now")}</dt>
        <dd>
          <strong>{valueText(item)}</strong> {unitText(item.unit)}
          {hasUntreated(id) && <span class="muted">, untreated {valueText({ ...item, value: item.untreated })}</span>}
        </dd>
      </>
    );
  const isLoop = layout.loops.some((l) => l.id === id);
  const value = isLoop ? frame.loops[id] : frame.links[id];
  if (value === undefined) return null;
  return (
    <>
      <dt>{name || "now"}</dt>
      <dd>
        <strong>{value.toFixed(2)}</strong> of 1{isLoop ? ", over days to weeks" : " passes"}
      </dd>
    </>
  );
}
