/** Kaplan-Meier curves: bands, medians, the published medians beside them, numbers at risk under the axis. */

import { useState } from "preact/hooks";
import { ENDPOINTS, show, thousands, title } from "../format";
import type { Curve } from "../types";
import { AxisBottom, AxisLeft, colour, useWidth } from "./frame";
import { linear, monthTicks, stepAt, stepBand, steps } from "./scale";

export interface PublishedMedian {
  arm: string;
  value: number;
  low?: number | null;
  high?: number | null;
  where: string;
}

interface Props {
  endpoint: string;
  curves: Curve[];
  labels: Record<string, string>;
  published?: PublishedMedian[];
  source: string;
  height?: number;
  /** Time axis to here, months; the last time of the curves otherwise. */
  until?: number;
  live?: boolean;
}

export function kmSummary({ endpoint, curves, labels }: Pick<Props, "endpoint" | "curves" | "labels">): string {
  const arms = curves.map((c) => `${labels[c.arm] ?? c.arm}: median ${show(c.median, "median")}${c.median == null ? "" : " months"}`);
  return `Kaplan-Meier curves of ${ENDPOINTS[endpoint] ?? endpoint}. ${arms.join("; ")}.`;
}

/** The time until which a chart is drawn: to where fewer than one in fifty is at risk, rounded up to a month. */
export function horizon(curves: readonly Curve[]): number {
  let end = 0;
  for (const c of curves) {
    const below = c.survival.findIndex((s) => s < 0.02);
    const i = below < 0 ? c.time.length - 1 : below;
    end = Math.max(end, c.time[i] ?? 0);
  }
  return Math.max(6, Math.ceil(end));
}

export function KaplanMeier(props: Props) {
  const { endpoint, curves, labels, published = [], source, live } = props;
  const [ref, width] = useWidth<HTMLDivElement>(680);
  const [at, setAt] = useState<number | null>(null);
  const end = props.until ?? horizon(curves);
  const height = props.height ?? Math.round(Math.min(Math.max(width * 0.46, 220), 380));
  const left = 54;
  const right = width - 12;
  const x = linear([0, end], [left, right]);
  const y = linear([0, 1], [height - 8, 24]);
  const ticks = monthTicks(end, width < 480 ? 5 : 8);
  const riskY = height + 52;
  const hasRisk = curves.some((c) => c.at_risk && c.at_risk.n.length > 0);
  const total = hasRisk ? riskY + 8 + curves.length * 17 : height + 36;
  const move = (e: PointerEvent): void => {
    const box = (e.currentTarget as SVGSVGElement).getBoundingClientRect();
    const t = x.invert(((e.clientX - box.left) * width) / box.width);
    setAt(t >= 0 && t <= end ? t : null);
  };
  const key = (e: KeyboardEvent): void => {
    const step = e.shiftKey ? 6 : 1;
    if (e.key === "ArrowRight") setAt(Math.min((at ?? -step) + step, end));
    else if (e.key === "ArrowLeft") setAt(Math.max((at ?? step) - step, 0));
    else if (e.key === "Escape") setAt(null);
    else return;
    e.preventDefault();
  };
  const values = at === null ? [] : curves.map((c) => stepAt(c.time, c.survival, at));
  const name = title(ENDPOINTS[endpoint] ?? endpoint);
  return (
    <div class="chart" ref={ref} data-source={source}>
      <svg
        viewBox={`0 0 ${width} ${total}`}
        role="img"
        aria-label={kmSummary(props)}
        tabindex={0}
        onPointerMove={move}
        onPointerLeave={() => setAt(null)}
        onKeyDown={key}
        data-chart={`km-${endpoint}`}
      >
        <AxisLeft scale={y} x={left} ticks={[0, 0.25, 0.5, 0.75, 1]} text={(v) => `${Math.round(100 * v)}`} label={`${name}, %`} gridTo={right} />
        <AxisBottom scale={x} y={height - 8} ticks={ticks} label="months" />
        {curves.map((c, i) =>
          c.low && c.high ? <path key={c.arm} d={stepBand(c.time, c.low, c.high, x, y)} style={{ fill: colour(i), fillOpacity: 0.13 }} /> : null,
        )}
        {curves.map((c, i) => (
          <path key={c.arm} d={steps(c.time, c.survival, x, y)} fill="none" style={{ stroke: colour(i), strokeWidth: 2.1 }} stroke-linejoin="round" />
        ))}
        {published.map((p) => {
          const i = curves.findIndex((c) => c.arm === p.arm);
          if (i < 0 || p.value > end) return null;
          const dy = 4 * (i - (curves.length - 1) / 2);
          return (
            <g key={`${p.arm}${p.value}`} data-source={`place:${p.where}`} class="num" data-about={`Published median, ${labels[p.arm] ?? p.arm}`}>
              <title>{`published median ${show(p.value, "median")} months, ${p.where}`}</title>
              {p.low != null && p.high != null && (
                <path d={`M${x(p.low)},${y(0.5) + dy}H${x(Math.min(p.high, end))}`} style={{ stroke: colour(i), strokeWidth: 1.4 }} />
              )}
              <path
                d={`M${x(p.value)},${y(0.5) + dy - 6}l6,6l-6,6l-6,-6z`}
                style={{ fill: "var(--panel)", stroke: colour(i), strokeWidth: 2 }}
              />
            </g>
          );
        })}
        {at !== null && <path class="cross" d={`M${x(at)},${y(1)}V${y(0)}`} fill="none" />}
        {at !== null &&
          values.map((v, i) =>
            v === undefined ? null : <circle key={i} cx={x(at)} cy={y(v)} r={4} style={{ fill: colour(i), stroke: "var(--panel)", strokeWidth: 1.5 }} />,
          )}
        {hasRisk && (
          <g>
            <text class="title" x={0} y={riskY - 4}>
              at risk
            </text>
            {curves.map((c, i) => (
              <g key={c.arm}>
                <path d={`M4,${riskY + 9 + i * 17}h16`} style={{ stroke: colour(i), strokeWidth: 3 }} />
                {ticks.map((t) => {
                  const k = c.at_risk?.time.findIndex((s) => Math.abs(s - t) < 0.01) ?? -1;
                  const n = k >= 0 ? c.at_risk?.n[k] : undefined;
                  return n === undefined ? null : (
                    <text key={t} x={x(t)} y={riskY + 13 + i * 17} text-anchor="middle">
                      {thousands(n)}
                    </text>
                  );
                })}
              </g>
            ))}
          </g>
        )}
      </svg>
      {at !== null && (
        <div class="tip" style={{ left: `${(100 * Math.min(x(at) + 10, width - 190)) / width}%`, top: "2.2rem" }} role="status">
          <strong>month {at.toFixed(1)}</strong>
          {curves.map((c, i) => (
            <div key={c.arm}>
              <i class="key" style={{ background: colour(i) }} />
              {values[i] === undefined ? "–" : show(values[i], "rate")} <span class="muted">{labels[c.arm] ?? c.arm}</span>
            </div>
          ))}
        </div>
      )}
      <div class="legend" aria-hidden={live ? "true" : undefined}>
        {curves.map((c, i) => (
          <span key={c.arm}>
            <i class="key" style={{ background: colour(i) }} />
            {labels[c.arm] ?? c.arm}
          </span>
        ))}
        {published.length > 0 && (
          <span>
            <svg viewBox="0 0 14 14" style={{ width: "14px", marginRight: "0.4rem" }} aria-hidden="true">
              <path d="M7,1l6,6l-6,6l-6,-6z" style={{ fill: "var(--panel)", stroke: "var(--ink-2)", strokeWidth: 1.8 }} />
            </svg>
            published median
          </span>
        )}
      </div>
    </div>
  );
}
