/** Stacked shares of variance, waterfalls, swimmers, spiders, and a hundred patients. */

import { useMemo } from "preact/hooks";
import { ofHundred, show, title, words } from "../format";
import { dodge } from "./dodge";
import { AxisBottom, AxisLeft, colour, useWidth } from "./frame";
import { linear, monthTicks, ticks as roundTicks } from "./scale";

const PARTS = [
  ["parameters", "parameters"],
  ["patients", "patients"],
  ["events_and_scans", "events and scans"],
  ["between_trials", "between trials"],
] as const;

export type Shares = Record<(typeof PARTS)[number][0], number>;

/** Where the uncertainty of each statistic comes from. */
export function Split({ rows, source }: { rows: { key: string; label: string; shares: Shares }[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const left = Math.min(width * 0.46, 360);
  const x = linear([0, 1], [left, width - 4]);
  const height = rows.length * 25;
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${width} ${height + 40}`} role="img" aria-label="Share of each source of uncertainty in the variance of each statistic" data-chart="split">
        {rows.map((r, i) => {
          let from = 0;
          return (
            <g key={r.key}>
              <text x={0} y={i * 25 + 16}>
                {r.label.length > left / 6.9 ? `${r.label.slice(0, left / 6.9 - 1)}…` : r.label}
                <title>{r.label}</title>
              </text>
              {PARTS.map(([id, name], k) => {
                const share = Math.max(r.shares[id] ?? 0, 0);
                const a = x(from);
                from += share;
                const w = x(from) - a;
                return (
                  <g key={id}>
                    <rect x={a} y={i * 25 + 3} width={Math.max(w - 1, 0)} height={18} style={{ fill: colour(k), fillOpacity: 0.28, stroke: colour(k), strokeWidth: 1 }}>
                      <title>{`${name}: ${show(share, "rate")}`}</title>
                    </rect>
                    {w > 30 && (
                      <text x={a + w / 2} y={i * 25 + 16} text-anchor="middle">
                        {Math.round(100 * share)}
                      </text>
                    )}
                  </g>
                );
              })}
            </g>
          );
        })}
        <AxisBottom scale={x} y={height} ticks={[0, 0.25, 0.5, 0.75, 1]} text={(v) => `${100 * v}`} label="share of the variance, %" />
      </svg>
      <div class="legend">
        {PARTS.map(([id, name], k) => (
          <span key={id}>
            <i class="key" style={{ background: colour(k), opacity: 0.6 }} />
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

const RESPONSES: [string, string, string][] = [
  ["CR", "complete response", "var(--s5)"],
  ["PR", "partial response", "var(--s0)"],
  ["SD", "stable disease", "var(--s4)"],
  ["PD", "progression", "var(--s1)"],
  ["NE", "not evaluable", "var(--edge)"],
];

function responseColour(code: string): string {
  return RESPONSES.find(([c]) => c === code)?.[2] ?? "var(--edge)";
}

function ResponseLegend({ codes }: { codes: Set<string> }) {
  return (
    <div class="legend">
      {RESPONSES.filter(([c]) => codes.has(c)).map(([c, name, fill]) => (
        <span key={c}>
          <i class="key" style={{ background: fill }} />
          {name}
        </span>
      ))}
    </div>
  );
}

/** Best change of the sum of diameters, a bar per patient. */
export function Waterfall({ label, patients, source }: { label: string; patients: { change: number; response: string }[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(480);
  const height = 210;
  const y = linear([-1, 1], [height - 8, 24]);
  const left = 46;
  const step = (width - left - 4) / Math.max(patients.length, 1);
  const bars = [...patients].sort((a, b) => b.change - a.change);
  const responders = patients.filter((p) => p.response === "CR" || p.response === "PR").length;
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Waterfall of ${patients.length} patients, ${label}: ${responders} respond`}
        data-chart="waterfall"
      >
        <AxisLeft scale={y} x={left} ticks={[-1, -0.5, 0, 0.5, 1]} text={(v) => `${Math.round(100 * v)}`.replace("-", "−")} label={`${label}: best change, %`} gridTo={width - 4} />
        {bars.map((p, i) => {
          const v = Math.min(Math.max(p.change, -1), 1);
          return <rect key={i} x={left + 2 + i * step} y={Math.min(y(0), y(v))} width={Math.max(step - (step > 3 ? 0.6 : 0), 0.5)} height={Math.max(Math.abs(y(v) - y(0)), 0.6)} style={{ fill: responseColour(p.response) }} />;
        })}
        <path d={`M${left},${y(-0.3)}H${width - 4}M${left},${y(0.2)}H${width - 4}`} class="cross" fill="none" />
      </svg>
      <ResponseLegend codes={new Set(patients.map((p) => p.response))} />
    </div>
  );
}

export interface Swim {
  until: number;
  response: string;
  responseAt: number | null;
  progression: number | null;
  death: number | null;
  ongoing: boolean;
}

/** A lane per patient: how long, response, progression, death. */
export function Swimmer({ label, lanes, source }: { label: string; lanes: Swim[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(480);
  const sorted = [...lanes].sort((a, b) => b.until - a.until);
  const h = 8;
  const top = 24;
  const height = top + sorted.length * h;
  const end = Math.max(6, ...sorted.map((l) => l.until));
  const x = linear([0, end], [8, width - 14]);
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${width} ${height + 42}`} role="img" aria-label={`Swimmer plot of ${lanes.length} patients, ${label}`} data-chart="swimmer">
        <text class="title" x={0} y={13}>
          {label}
        </text>
        <AxisBottom scale={x} y={height + 2} ticks={monthTicks(end, 6)} label="months" gridTo={top - 4} />
        {sorted.map((l, i) => {
          const y = top + i * h;
          return (
            <g key={i}>
              <rect x={x(0)} y={y} width={x(l.until) - x(0)} height={h - 2.4} style={{ fill: responseColour(l.response), fillOpacity: 0.72 }} />
              {l.responseAt !== null && <path d={`M${x(l.responseAt)},${y - 0.5}l3.4,3.4l-3.4,3.4l-3.4,-3.4z`} style={{ fill: "var(--ink)" }} />}
              {l.progression !== null && <path d={`M${x(l.progression)},${y - 1}v${h - 0.6}`} style={{ stroke: "var(--bad)", strokeWidth: 2.6 }} />}
              {l.death !== null && <path d={`M${x(l.death) - 2.6},${y + 0.2}l5.2,5.2m0,-5.2l-5.2,5.2`} style={{ stroke: "var(--ink)", strokeWidth: 1.5 }} />}
              {l.ongoing && <path d={`M${x(l.until) + 2},${y}l5,2.9l-5,2.9z`} style={{ fill: "var(--ink-3)" }} />}
            </g>
          );
        })}
      </svg>
      <ResponseLegend codes={new Set(lanes.map((l) => l.response))} />
      <div class="legend">
        <span>◆ response starts</span>
        <span>
          <b class="swim-pd">|</b>&nbsp;progression
        </span>
        {lanes.some((l) => l.death !== null) && <span>× death</span>}
        {lanes.some((l) => l.ongoing) && <span>▸ goes on</span>}
      </div>
    </div>
  );
}

/** Change from baseline over time, a line per patient. */
export function Spider({ label, patients, source }: { label: string; patients: { months: number[]; change: number[] }[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(480);
  const height = 230;
  const end = Math.max(6, Math.min(36, ...[Math.max(6, ...patients.flatMap((p) => p.months))]));
  const x = linear([0, end], [46, width - 6]);
  const y = linear([-1, 1], [height - 8, 24]);
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${width} ${height + 36}`} role="img" aria-label={`Spider plot of ${patients.length} patients, ${label}`} data-chart="spider">
        <AxisLeft scale={y} x={46} ticks={[-1, -0.5, 0, 0.5, 1]} text={(v) => `${Math.round(100 * v)}`.replace("-", "−")} label={`${label}: change from baseline, %`} gridTo={width - 6} />
        <AxisBottom scale={x} y={height - 8} ticks={monthTicks(end, 7)} label="months" />
        <path d={`M46,${y(-0.3)}H${width - 6}M46,${y(0.2)}H${width - 6}`} class="cross" fill="none" />
        {patients.map((p, i) => {
          const last = p.change[p.change.length - 1] ?? 0;
          const d = p.months
            .map((m, k) => (m <= end ? `${k === 0 ? "M" : "L"}${x(m).toFixed(1)},${y(Math.min(Math.max(p.change[k] ?? 0, -1), 1)).toFixed(1)}` : ""))
            .join("");
          return <path key={i} d={d} fill="none" style={{ stroke: last > 0 ? "var(--s1)" : "var(--s0)", strokeWidth: 1.1, strokeOpacity: 0.6 }} />;
        })}
      </svg>
    </div>
  );
}

/** A hundred patients, coloured by what happens to them. */
export function Icons({ groups, source, summary }: { groups: { label: string; share: number; fill: string }[]; source: string; summary: string }) {
  const n = ofHundred(groups.map((g) => g.share));
  const cells = groups.flatMap((g, i) => Array.from({ length: n[i] ?? 0 }, () => g.fill));
  return (
    <div data-source={source}>
      <div class="icons" role="img" aria-label={summary}>
        {cells.map((fill, i) => (
          <i key={i} style={{ background: fill, borderColor: fill }} />
        ))}
      </div>
      <div class="legend">
        {groups.map((g, i) => (
          <span key={g.label}>
            <i class="key" style={{ background: g.fill }} />
            <b>{n[i]}</b>&nbsp;{g.label}
          </span>
        ))}
      </div>
    </div>
  );
}

export interface Dot {
  key: string;
  x: number;
  y: number;
  low: number | null;
  high: number | null;
  label: string;
  inside: boolean;
  source: string;
}

const APART = 9.5;
const REACH = 12;

/** Predicted against published: dots with their intervals, the line where both agree; one dot can be chosen.
 *
 * Dots that would lie on each other are moved apart, with a line to where they belong. One stop for the Tab key,
 * arrow keys go from dot to dot in the order of what is published.
 */
export function Agreement(props: {
  dots: Dot[];
  unit: string;
  logarithmic: boolean;
  source: string;
  name: string;
  text: (x: number) => string;
  most: number;
  chosen: string | null;
  onChoose: (key: string | null) => void;
}) {
  const { dots, source, chosen, onChoose } = props;
  const [ref, width] = useWidth<HTMLDivElement>(360);
  const size = Math.min(width, props.most);
  const all = dots.flatMap((d) => [d.x, d.y, d.low ?? d.y, d.high ?? d.y]).filter((v) => v > 0 || !props.logarithmic);
  const low = props.logarithmic ? Math.max(Math.min(...all) * 0.9, 0.01) : 0;
  const high = Math.max(...all) * 1.06;
  const f = props.logarithmic ? (v: number): number => Math.log(Math.max(v, low)) : (v: number): number => v;
  const lx = linear([f(low), f(high)], [48, size - 8]);
  const ly = linear([f(low), f(high)], [size - 44, 24]);
  const round = high / low < 6 ? [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 40] : [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 80, 160];
  const base = props.logarithmic ? round.filter((t) => t >= low && t <= high) : roundTicks(low, high, 5);
  const sx = Object.assign((v: number) => lx(f(v)), { domain: [low, high] as const, range: lx.range, invert: (v: number) => v });
  const sy = Object.assign((v: number) => ly(f(v)), { domain: [low, high] as const, range: ly.range, invert: (v: number) => v });
  const unit = props.unit && `, ${props.unit}`;
  const key = dots.map((d) => d.key).join();
  const at = useMemo(() => dodge(dots.map((d) => ({ x: sx(d.x), y: sy(d.y) })), APART), [key, size]);
  const order = [...dots.keys()].sort((i, j) => (dots[i]?.x ?? 0) - (dots[j]?.x ?? 0) || (dots[i]?.y ?? 0) - (dots[j]?.y ?? 0));
  const stop = dots.some((d) => d.key === chosen) ? chosen : dots[order[0] ?? 0]?.key;
  // a dot takes clicks as far as half way to the next one, so that none is taken for another
  const reach = (i: number): number => {
    const here = at[i] as { x: number; y: number };
    return Math.min(REACH, ...at.filter((_, j) => j !== i).map((o) => Math.hypot(o.x - here.x, o.y - here.y) / 2));
  };
  const walk = (e: KeyboardEvent): void => {
    const step = e.key === "ArrowRight" || e.key === "ArrowUp" ? 1 : e.key === "ArrowLeft" || e.key === "ArrowDown" ? -1 : 0;
    if (e.key === "Escape") onChoose(null);
    if (!step) return;
    e.preventDefault();
    const now = (document.activeElement as SVGElement | null)?.dataset["dot"] ?? stop;
    const next = order[order.findIndex((i) => dots[i]?.key === now) + step];
    const name = next === undefined ? undefined : dots[next]?.key;
    if (name === undefined) return;
    onChoose(name);
    requestAnimationFrame(() => ref.current?.querySelector<SVGGElement>(`[data-dot="${CSS.escape(name)}"]`)?.focus());
  };
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${size} ${size}`} style={{ maxWidth: `${size}px` }} role="group" aria-label={`${props.name}: predicted against published, ${dots.length} figures; arrow keys go from one to the next`} data-chart="agreement" onKeyDown={walk}>
        <AxisLeft scale={sy} x={48} ticks={base} text={props.text} label={`predicted ${props.name}${unit}`} gridTo={size - 8} />
        <AxisBottom scale={sx} y={size - 44} ticks={base} text={props.text} label={`published${unit}`} gridTo={24} />
        <path d={`M${sx(low)},${sy(low)}L${sx(high)},${sy(high)}`} style={{ stroke: "var(--ink-3)", strokeDasharray: "4 4" }} />
        {dots.map((d) =>
          d.low !== null && d.high !== null ? (
            <path key={d.key} d={`M${sx(d.x)},${sy(d.low)}V${sy(d.high)}`} style={{ stroke: d.inside ? "var(--s0)" : "var(--bad)", strokeOpacity: d.key === chosen ? 1 : 0.3, strokeWidth: d.key === chosen ? 2.5 : 1.5 }} />
          ) : null,
        )}
        {dots.map((d, i) => {
          const { x, y } = at[i] as { x: number; y: number };
          const fill = d.inside ? "var(--s0)" : "var(--bad)";
          const isFar = Math.hypot(x - sx(d.x), y - sy(d.y)) > 1;
          const edge = d.key === chosen ? "var(--ink)" : "var(--panel)";
          return (
            <g
              key={d.key}
              class="dot"
              role="button"
              tabindex={d.key === stop ? 0 : -1}
              aria-pressed={d.key === chosen}
              aria-label={`${d.label}: published ${props.text(d.x)}, predicted ${props.text(d.y)}${d.inside ? "" : ", outside its interval"}`}
              data-source={d.source}
              data-dot={d.key}
              onClick={() => onChoose(d.key === chosen ? null : d.key)}
              onKeyDown={(e: KeyboardEvent) => {
                if (e.key !== "Enter" && e.key !== " ") return;
                e.preventDefault();
                onChoose(d.key === chosen ? null : d.key);
              }}
            >
              <title>{`${d.label}: published ${props.text(d.x)}, predicted ${props.text(d.y)}`}</title>
              {isFar && <path d={`M${sx(d.x)},${sy(d.y)}L${x},${y}`} style={{ stroke: fill, strokeWidth: 0.9 }} />}
              {d.inside ? (
                <circle cx={x} cy={y} r={4} style={{ fill, stroke: edge, strokeWidth: d.key === chosen ? 2 : 0.7 }} />
              ) : (
                <path d={`M${x},${y - 5.5}l5.5,5.5l-5.5,5.5l-5.5,-5.5z`} style={{ fill, stroke: edge, strokeWidth: d.key === chosen ? 2 : 0.7 }} />
              )}
              <circle cx={x} cy={y} r={reach(i)} fill="transparent" />
            </g>
          );
        })}
      </svg>
    </div>
  );
}

export interface Level {
  /** Share that is meant, and what was found. */
  meant: number;
  found: number;
  low: number;
  high: number;
  n: number;
}

/** Share of figures inside their intervals against the share that is meant; on the line both agree. */
export function Calibration({ series, source }: { series: { name: string; levels: Level[] }[]; source: string }) {
  const [ref, width] = useWidth<HTMLDivElement>(360);
  const size = Math.min(width, 460);
  const x = linear([0.4, 1], [48, size - 8]);
  const y = linear([0, 1.04], [size - 44, 24]);
  const percent = (v: number): string => `${Math.round(100 * v)}`;
  const said = series.map((s) => `${s.name}: ${s.levels.map((l) => `${percent(l.found)} % inside the ${percent(l.meant)} % interval`).join(", ")}`);
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${size} ${size}`} style={{ maxWidth: `${size}px` }} role="img" aria-label={`Calibration. ${said.join("; ")}`} data-chart="calibration">
        <AxisLeft scale={y} x={48} ticks={[0, 0.2, 0.4, 0.6, 0.8, 1]} text={percent} label="found inside, %" gridTo={size - 8} />
        <AxisBottom scale={x} y={size - 44} ticks={[0.5, 0.8, 0.9]} text={percent} label="meant, %" gridTo={24} />
        <path d={`M${x(0.4)},${y(0.4)}L${x(1)},${y(1)}`} style={{ stroke: "var(--ink-3)", strokeDasharray: "4 4" }} />
        {series.map((s, k) =>
          s.levels.map((l) => {
            const at = x(l.meant) + (k - (series.length - 1) / 2) * 11;
            return (
              <g key={`${s.name}${l.meant}`}>
                <title>{`${s.name}: ${percent(l.found)} % (${percent(l.low)} to ${percent(l.high)}), ${percent(l.meant)} % meant`}</title>
                <path d={`M${at},${y(l.low)}V${y(l.high)}`} style={{ stroke: colour(k), strokeWidth: 1.6, strokeOpacity: 0.6 }} />
                {k === 0 ? (
                  <circle cx={at} cy={y(l.found)} r={4.5} style={{ fill: colour(k) }} />
                ) : (
                  <rect x={at - 4} y={y(l.found) - 4} width={8} height={8} style={{ fill: colour(k) }} />
                )}
              </g>
            );
          }),
        )}
      </svg>
      <div class="legend">
        {series.map((s, k) => (
          <span key={s.name}>
            <i class="key" style={{ background: colour(k), borderRadius: k === 0 ? "50%" : "0" }} />
            {s.name}, {s.levels[0]?.n} figures: {s.levels.map((l) => percent(l.found)).join(", ")}&nbsp;%
          </span>
        ))}
      </div>
    </div>
  );
}

/** Adverse events and similar: a name in words. */
export function term(id: string): string {
  return title(words(id));
}
