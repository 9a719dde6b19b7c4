/** A forest plot: a row per estimate, intervals on a ratio axis, the numbers beside them. */

import type { ComponentChildren } from "preact";
import { interval, show } from "../format";
import { AxisBottom, useWidth } from "./frame";
import { log, logTicks } from "./scale";

export interface ForestLine {
  key: string;
  label: string;
  note?: string;
  value: number | null;
  low: number | null;
  high: number | null;
  /** Size of the square, 0 to 1. */
  weight?: number;
  /** A second mark: the true effect, or the published one. */
  other?: number | null;
  bold?: boolean;
  diamond?: boolean;
  href?: string;
  source?: string;
  text?: ComponentChildren;
}

interface Props {
  rows: ForestLine[];
  label: string;
  source: string;
  summary: string;
  otherName?: string;
  left?: string;
  right?: string;
}

export function Forest({ rows, label, source, summary, otherName, left, right }: Props) {
  const [ref, width] = useWidth<HTMLDivElement>(720);
  const narrow = width < 560;
  const nameWidth = narrow ? width * 0.36 : Math.min(width * 0.36, 300);
  const textWidth = narrow ? 0 : 150;
  const all = rows.flatMap((r) => [r.value, r.low, r.high, r.other]).filter((v): v is number => typeof v === "number" && v > 0);
  const low = Math.max(Math.min(0.5, ...all) * 0.93, 0.05);
  const high = Math.min(Math.max(1.5, ...all) * 1.07, 20);
  const x = log([low, high], [nameWidth + 8, width - textWidth - 10]);
  const rowHeight = 27;
  const top = left || right ? 26 : 10;
  const bottom = top + rows.length * rowHeight + 4;
  const clip = (v: number): number => Math.min(Math.max(v, low), high);
  const [a, b] = x.range;
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg viewBox={`0 0 ${width} ${bottom + 42}`} role="img" aria-label={summary} data-chart="forest">
        {(left || right) && (
          <g>
            <text class="faint" x={x(1) - 8} y={13} text-anchor="end">
              {left && `← ${left}`}
            </text>
            <text class="faint" x={x(1) + 8} y={13}>
              {right && `${right} →`}
            </text>
          </g>
        )}
        <AxisBottom scale={x} y={bottom} ticks={thin(logTicks(low, high), (b - a) / 36)} label={label} gridTo={top} />
        <path d={`M${x(1)},${top - 4}V${bottom}`} style={{ stroke: "var(--ink-2)", strokeWidth: 1.2 }} />
        {rows.map((r, i) => {
          const y = top + (i + 0.5) * rowHeight;
          const size = 4 + 6 * Math.sqrt(r.weight ?? 0.4);
          const name = (
            <text class={r.bold ? "strong" : ""} x={0} y={y + 4}>
              {cut(r.label, nameWidth / 6.4)}
              <title>{r.note ? `${r.label}: ${r.note}` : r.label}</title>
            </text>
          );
          return (
            <g key={r.key} data-source={r.source ?? source}>
              {r.href ? <a href={r.href}>{name}</a> : name}
              {r.low !== null && r.high !== null && (
                <path
                  d={`M${x(clip(r.low))},${y}H${x(clip(r.high))}`}
                  style={{ stroke: r.bold ? "var(--ink)" : "var(--s0)", strokeWidth: r.bold ? 2.2 : 1.6 }}
                />
              )}
              {r.value !== null &&
                (r.diamond && r.low !== null && r.high !== null ? (
                  <path
                    d={`M${x(clip(r.low))},${y}L${x(r.value)},${y - 8}L${x(clip(r.high))},${y}L${x(r.value)},${y + 8}Z`}
                    style={{ fill: "var(--ink)" }}
                  />
                ) : (
                  <rect x={x(clip(r.value)) - size / 2} y={y - size / 2} width={size} height={size} style={{ fill: r.bold ? "var(--ink)" : "var(--s0)" }} />
                ))}
              {r.other != null && r.other > 0 && (
                <path d={`M${x(clip(r.other))},${y - 7}l5,7l-5,7l-5,-7z`} style={{ fill: "var(--panel)", stroke: "var(--s1)", strokeWidth: 2 }} />
              )}
              {!narrow && (
                <text x={width} y={y + 4} text-anchor="end" class={r.bold ? "strong" : ""}>
                  {r.value === null ? "–" : `${show(r.value, "hr")} (${interval(r.low, r.high, "hr")})`}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {otherName && (
        <div class="legend">
          <span>
            <i class="key" style={{ background: "var(--s0)" }} />
            estimate with its interval
          </span>
          <span>
            <svg viewBox="0 0 14 14" style={{ width: "14px", marginRight: "0.4rem" }} aria-hidden="true">
              <path d="M7,1l5,6l-5,6l-5,-6z" style={{ fill: "var(--panel)", stroke: "var(--s1)", strokeWidth: 2 }} />
            </svg>
            {otherName}
          </span>
        </div>
      )}
    </div>
  );
}

function thin(values: number[], most: number): number[] {
  const step = Math.ceil(values.length / Math.max(most, 2));
  if (step <= 1) return values;
  const one = values.indexOf(1);
  return values.filter((_, i) => (one < 0 ? i : Math.abs(i - one)) % step === 0);
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, Math.max(Math.floor(most) - 1, 3))}…` : text;
}
