/** What all charts share: the measured width, colours of series, axes, and pictures to take away. */

import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Scale } from "./scale";

export const SERIES = ["var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)"];

export function colour(i: number): string {
  return SERIES[i % SERIES.length] as string;
}

/** Width of an element in CSS pixels, followed as it changes. */
export function useWidth<T extends HTMLElement>(first = 640): [RefObject<T | null>, number] {
  const ref = useRef<T>(null);
  const [width, set] = useState(first);
  useLayoutEffect(() => {
    const node = ref.current;
    if (!node) return undefined;
    const measure = (): void => {
      const w = Math.round(node.clientWidth);
      if (w > 0) set(w);
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(node);
    return () => watch.disconnect();
  }, []);
  return [ref, width];
}

export function AxisBottom(props: { scale: Scale; y: number; ticks: number[]; label: string; text?: (x: number) => string; gridTo?: number }) {
  const { scale, y, ticks, label, text = String, gridTo } = props;
  const [a, b] = scale.range;
  return (
    <g>
      {gridTo !== undefined && ticks.map((t) => <line key={t} class="grid-line" x1={scale(t)} x2={scale(t)} y1={gridTo} y2={y} />)}
      <path class="axis" d={`M${a},${y}H${b}`} />
      {ticks.map((t) => (
        <g key={t}>
          <path class="axis" d={`M${scale(t)},${y}v4`} />
          <text x={scale(t)} y={y + 17} text-anchor="middle">
            {text(t)}
          </text>
        </g>
      ))}
      <text class="title" x={(a + b) / 2} y={y + 35} text-anchor="middle">
        {label}
      </text>
    </g>
  );
}

export function AxisLeft(props: { scale: Scale; x: number; ticks: number[]; label?: string; text?: (x: number) => string; gridTo?: number }) {
  const { scale, x, ticks, label, text = String, gridTo } = props;
  const [a, b] = scale.range;
  return (
    <g>
      {gridTo !== undefined && ticks.map((t) => <line key={t} class="grid-line" x1={x} x2={gridTo} y1={scale(t)} y2={scale(t)} />)}
      <path class="axis" d={`M${x},${Math.min(a, b)}V${Math.max(a, b)}`} />
      {ticks.map((t) => (
        <text key={t} x={x - 7} y={scale(t) + 4} text-anchor="end">
          {text(t)}
        </text>
      ))}
      {label && (
        <text class="title" x={0} y={Math.min(a, b) - 9}>
          {label}
        </text>
      )}
    </g>
  );
}

/** A chart with a caption and buttons to take it away as SVG or PNG. */
export function Figure(props: { name: string; source: string; caption?: ComponentChildren; children: ComponentChildren; plain?: boolean }) {
  const ref = useRef<HTMLElement>(null);
  return (
    <figure ref={ref} data-source={props.source}>
      {props.children}
      {props.caption && <figcaption>{props.caption}</figcaption>}
      {!props.plain && (
        <div class="row end no-print small">
          <button type="button" class="link" onClick={() => save(ref.current, props.name, "svg")}>
            SVG<span class="hidden"> of {props.name}</span>
          </button>
          <button type="button" class="link" onClick={() => save(ref.current, props.name, "png")}>
            PNG<span class="hidden"> of {props.name}</span>
          </button>
        </div>
      )}
    </figure>
  );
}

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "fill-opacity", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];

/** The picture as a file of its own, colours and fonts written into it. */
export function svgText(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const own = [svg, ...svg.querySelectorAll<SVGElement>("*")];
  const other = [copy, ...copy.querySelectorAll<SVGElement>("*")];
  own.forEach((node, i) => {
    const style = getComputedStyle(node);
    const to = other[i];
    if (!to) return;
    for (const name of KEPT) to.setAttribute(name, style.getPropertyValue(name));
    to.removeAttribute("class");
    to.removeAttribute("style");
    to.removeAttribute("tabindex");
  });
  const box = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  back.setAttribute("width", "100%");
  back.setAttribute("height", "100%");
  back.setAttribute("fill", getComputedStyle(document.documentElement).getPropertyValue("--panel").trim() || "#fff");
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy);
}

/** Hands a file to the browser. */
export function download(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function save(figure: HTMLElement | null, name: string, as: "svg" | "png"): void {
  const svg = figure?.querySelector("svg");
  if (!svg) return;
  const text = svgText(svg);
  const file = name.toLowerCase().replace(/[^a-z0-9]+/g, "_");
  const blob = new Blob([text], { type: "image/svg+xml" });
  if (as === "svg") {
    download(`${file}.svg`, blob);
    return;
  }
  const image = new Image();
  const url = URL.createObjectURL(blob);
  image.onload = () => {
    const box = svg.viewBox.baseVal;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(2 * box.width);
    canvas.height = Math.round(2 * box.height);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(url);
    canvas.toBlob((png) => png && download(`${file}.png`, png));
  };
  image.src = url;
}
