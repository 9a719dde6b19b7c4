/** The map itself: receptors above, growth below; boxes coloured by state, arrows as wide as what passes. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { compact as number, signed } from "../format";
import type { DrugLink, LayoutBox, NetworkLayout, StateItem } from "../types";
import { boxSize, compact } from "./compact";
import { Card, CARD_ROOM, type Named, type Spot } from "./card";
import { change, type Frame } from "./frame";
import { arrow, head, loopPath, neighbour, placeDrugs, ports } from "./geometry";

export type Colouring = "level" | "change";

interface Props {
  layout: NetworkLayout;
  frame: Frame;
  drugLinks: DrugLink[];
  drugs: string[];
  colouring: Colouring;
  selected: string | null;
  onSelect: (id: string | null) => void;
  source: string;
  title: string;
  /** What a card beside the pointer shows; this map alone if not given. */
  frames?: Named[] | undefined;
}

const SHOW_MS = 120;
const HIDE_MS = 250;

/** What the pointer is on; a card stays while the pointer is on it, and Escape takes it away. */
function useCard(pan: { current: HTMLDivElement | null }) {
  const [spot, set] = useState<Spot | null>(null);
  const timer = useRef(0);
  const later = (ms: number, value: Spot | null): void => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => set(value), ms);
  };
  useEffect(() => {
    if (!spot) return undefined;
    const key = (e: KeyboardEvent): void => {
      if (e.key === "Escape") set(null);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [spot !== null]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const enter = (id: string) => (e: PointerEvent): void => {
    const frame = pan.current;
    if (e.pointerType === "touch" || !frame) return;
    const [box, all] = [(e.currentTarget as SVGElement).getBoundingClientRect(), frame.getBoundingClientRect()];
    // an arrow is as long as its way: the card comes where the pointer is
    const isBox = box.height < 70;
    const x = (isBox ? box.left + box.width / 2 : e.clientX) - all.left + frame.scrollLeft;
    const [top, bottom] = isBox ? [box.top - all.top, box.bottom - all.top] : [e.clientY - all.top - 8, e.clientY - all.top + 8];
    // where it can be seen in the window; the bar on top of the page hides what is under it
    const above = all.top + bottom + CARD_ROOM > innerHeight && all.top + top > CARD_ROOM + 50;
    later(spot ? 30 : SHOW_MS, { id, x, top, bottom, above, width: frame.clientWidth, height: frame.clientHeight, scrolled: frame.scrollLeft });
  };
  return { spot, enter, leave: () => later(HIDE_MS, null), stay: () => clearTimeout(timer.current), hide: () => later(0, null) };
}

export function valueText(item: StateItem | undefined): string {
  if (!item) return "";
  if (item.unit === "1/day") return `${signed(item.value)}/day`;
  if (item.unit.startsWith("nmol")) return `${number(item.value)} nM`;
  return Math.abs(item.value) < 9.995 ? item.value.toFixed(2) : item.value.toPrecision(3);
}

/** A name as its lines are read one after the other. */
function shownLines(label: string): string {
  return boxSize(label).lines.join(" ");
}

function mark(item: StateItem): string {
  const least = item.unit === "1/day" ? 0.001 : 0.02;
  const d = item.value - item.untreated;
  return d > least ? " ▲" : d < -least ? " ▼" : "";
}

function fill(item: StateItem | undefined, kind: string, colouring: Colouring): string {
  if (kind === "drug") return "var(--map-drug)";
  if (!item) return "var(--panel)";
  if (colouring === "change") {
    const c = change(item);
    const to = c > 0 ? "var(--map-rise)" : "var(--map-fall)";
    return `color-mix(in oklab, ${to} ${Math.round(100 * Math.abs(c))}%, var(--map-low))`;
  }
  if (item.shade === null) return "var(--sunk)";
  return `color-mix(in oklab, var(--map-high) ${Math.round(100 * item.shade)}%, var(--map-low))`;
}

export function PathwayMap(props: Props) {
  const { frame, colouring, selected, onSelect } = props;
  const layout = useMemo(() => compact(props.layout), [props.layout]);
  const svg = useRef<SVGSVGElement>(null);
  const pan = useRef<HTMLDivElement>(null);
  const card = useCard(pan);
  const fixed = useMemo(() => prepare(layout), [layout]);
  const given = useMemo(
    () => placeDrugs(layout.drugs.filter((d) => props.drugs.includes(d.agent)), fixed.boxes, layout.width),
    [layout, props.drugs.join(), fixed],
  );
  const reachable = useMemo(() => [...given, ...layout.boxes], [given, layout]);
  const near = new Set<string>();
  if (selected) {
    near.add(selected);
    for (const l of layout.links) {
      if (l.source === selected || l.target === selected) for (const id of [l.id, l.source, l.target]) near.add(id);
    }
    for (const l of layout.loops) {
      if (l.driver === selected || l.target === selected || l.id === selected) for (const id of [l.id, l.driver, l.target]) near.add(id);
    }
    for (const l of props.drugLinks) {
      if (l.source === selected || l.target === selected) for (const id of [`${l.source}>${l.target}`, l.source, l.target]) near.add(id);
    }
    const link = layout.links.find((l) => l.id === selected);
    if (link) for (const id of [link.source, link.target]) near.add(id);
  }
  const cls = (id: string, more = ""): string => `${more}${near.has(id) ? " near" : ""}${id === selected ? " on" : ""}`;
  const key = (e: KeyboardEvent): void => {
    if (e.key === "Escape") onSelect(null);
    if (!e.key.startsWith("Arrow")) return;
    const at = (document.activeElement as SVGElement | null)?.dataset["id"] ?? selected ?? "";
    const next = neighbour(reachable, at, e.key);
    if (!next) return;
    e.preventDefault();
    onSelect(next);
    requestAnimationFrame(() => svg.current?.querySelector<SVGGElement>(`[data-id="${CSS.escape(next)}"]`)?.focus());
  };
  useLayoutEffect(() => {
    // where the window is narrower than the map, its middle is seen first
    const pan = svg.current?.parentElement;
    if (pan && pan.scrollWidth > pan.clientWidth) pan.scrollLeft = (pan.scrollWidth - pan.clientWidth) * 0.42;
  }, []);
  const gutter = layout.width + 4;
  const width = layout.width + 16 + 9 * layout.loops.length;
  const tabStop = reachable.some((b) => b.id === selected) ? selected : reachable[0]?.id;
  const box = (b: { id: string; label: string; x: number; y: number; width: number; height: number }, kind: string) => {
    const item = frame.items[b.id];
    const says = item ? `${shownLines(b.label)} ${valueText(item)}${item.unit === "1" || item.unit === "1/day" ? "" : ` ${item.unit.startsWith("nmol") ? "" : item.unit}`}` : b.label;
    return (
      <g
        key={b.id}
        class={`map-box ${kind}${cls(b.id)}`}
        transform={`translate(${b.x - b.width / 2},${b.y - b.height / 2})`}
        role="button"
        tabindex={b.id === tabStop ? 0 : -1}
        data-id={b.id}
        aria-label={says}
        aria-pressed={b.id === selected}
        onClick={() => {
          card.hide();
          onSelect(b.id === selected ? null : b.id);
        }}
        onPointerEnter={card.enter(b.id)}
        onPointerLeave={card.leave}
        onKeyDown={(e: KeyboardEvent) => {
          if (e.key === "Enter" || e.key === " ") {
            e.preventDefault();
            onSelect(b.id === selected ? null : b.id);
          }
        }}
      >
        <rect width={b.width} height={b.height} rx={kind === "drug" || kind === "ligand" ? b.height / 2 : kind === "phenotype" ? 1 : 6} style={{ fill: fill(item, kind, colouring) }} />
        {boxSize(b.label).lines.map((line, i) => (
          <text key={line} x={b.width / 2} y={14 + 12.5 * i}>
            {line}{" "}
          </text>
        ))}
        <text class="v" x={b.width / 2} y={b.height - 6}>
          {item ? valueText(item) + (kind === "drug" || kind === "ligand" ? "" : mark(item)) : ""}
        </text>
      </g>
    );
  };
  return (
    <div class={`pan map-pan${selected ? " dim-on" : ""}`} data-source={props.source} ref={pan}>
      <svg ref={svg} viewBox={`0 0 ${width} ${layout.height}`} role="group" aria-label={`Pathway map. ${props.title}`} onKeyDown={key} data-chart="map">
        <rect x={fixed.band.x} y={fixed.band.y} width={fixed.band.width} height={fixed.band.height} rx={12} style={{ fill: "var(--membrane)", stroke: "var(--membrane-line)" }} />
        <text x={fixed.band.x + 12} y={fixed.band.y + 17} class="map-caption">
          cell membrane
        </text>
        <g>
          {layout.loops.map((l, k) => {
            const a = fixed.boxes.get(l.driver);
            const b = fixed.boxes.get(l.target);
            if (!a || !b) return null;
            const s = Math.min(Math.abs(frame.loops[l.id] ?? 0), 1);
            const d = loopPath(a, b, k, gutter);
            return (
              <g key={l.id}>
                <path class={cls(l.id, "map-link")} d={d} style={{ stroke: "var(--slow)", strokeWidth: 0.9 + 2.2 * s, strokeOpacity: 0.28 + 0.6 * s, strokeDasharray: "5 4" }} />
                <path class="map-hit" d={d} onClick={() => onSelect(l.id)} onPointerEnter={card.enter(l.id)} onPointerLeave={card.leave} />
              </g>
            );
          })}
        </g>
        <g>
          {fixed.links.map((l) => {
            const s = frame.links[l.id] ?? 0;
            const stroke = l.sign > 0 ? "var(--act)" : "var(--inh)";
            const style = { stroke, strokeWidth: 0.8 + 3.4 * s, strokeOpacity: 0.16 + 0.8 * Math.sqrt(s) };
            return (
              <g key={l.id}>
                <path class={cls(l.id, "map-link")} d={l.d} style={style} />
                <path class={cls(l.id, "map-link")} d={l.head} style={{ ...style, strokeWidth: 1.4 + 1.2 * s }} />
                <path class="map-hit" d={l.d} onClick={() => onSelect(l.id)} onPointerEnter={card.enter(l.id)} onPointerLeave={card.leave} />
              </g>
            );
          })}
        </g>
        <g>
          {props.drugLinks.map((l) => {
            const from = given.find((d) => d.id === l.source);
            const to = fixed.boxes.get(l.target);
            if (!from || !to) return null;
            const x = to.x - Math.sign(to.x - from.x) * Math.min(Math.abs(to.x - from.x) / 8, to.width / 4);
            const d = arrow([[from.x, from.y + from.height / 2], [x, to.y - to.height / 2 - 4]]);
            const id = `${l.source}>${l.target}`;
            // an arrow across the whole map would hide it: faint until one of its ends is chosen
            const far = to.y - from.y > 260 && !near.has(id) ? 0.3 : 1;
            return (
              <g key={id + l.sign}>
                <path class={cls(id, "map-link")} d={d} style={{ stroke: "var(--drug)", strokeWidth: 1 + 2.4 * l.strength * far, strokeOpacity: (0.25 + 0.65 * l.strength) * far }} />
                <path class={cls(id, "map-link")} d={head(x, to.y - to.height / 2 - 2, l.sign)} style={{ stroke: "var(--drug)", strokeWidth: 2 }} />
              </g>
            );
          })}
        </g>
        <g>
          {layout.boxes.map((b) => box(b, b.kind))}
          {given.map((d) => box(d, "drug"))}
        </g>
      </svg>
      {card.spot && (
        <Card spot={card.spot} layout={props.layout} frames={props.frames ?? [{ name: "", frame }]} source={props.source} onEnter={card.stay} onLeave={card.leave} />
      )}
    </div>
  );
}

interface Prepared {
  boxes: Map<string, LayoutBox>;
  links: { id: string; source: string; target: string; sign: number; d: string; head: string }[];
  band: { x: number; y: number; width: number; height: number };
}

/** What of the picture no condition changes. */
function prepare(layout: NetworkLayout): Prepared {
  const boxes = new Map(layout.boxes.map((b) => [b.id, b]));
  const places = ports(layout.links, boxes);
  const links = layout.links.map((l) => {
    const points = l.points.map(([x, y]) => [x, y] as [number, number]);
    const first = points[0];
    const last = points[points.length - 1];
    if (first) first[0] = places.out.get(l.id) ?? first[0];
    if (last) {
      last[0] = places.in.get(l.id) ?? last[0];
      last[1] -= 2;
    }
    return { id: l.id, source: l.source, target: l.target, sign: l.sign, d: arrow(points), head: last ? head(last[0], last[1], l.sign) : "" };
  });
  const membrane = layout.boxes.filter((b) => b.kind === "receptor" || b.kind === "dimer");
  const left = Math.min(...membrane.map((b) => b.x - b.width / 2)) - 12;
  const right = Math.max(...membrane.map((b) => b.x + b.width / 2)) + 12;
  const top = Math.min(...membrane.map((b) => b.y - b.height / 2)) - 26;
  const bottom = Math.max(...membrane.map((b) => b.y + b.height / 2)) + 12;
  return { boxes, links, band: { x: left, y: top, width: right - left, height: bottom - top } };
}
