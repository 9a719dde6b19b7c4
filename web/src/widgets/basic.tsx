/** Small parts that every view uses. */

import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import type { ApiError } from "../api";

export function Wait({ children = "Loading …" }: { children?: ComponentChildren }) {
  return (
    <p class="wait" role="status">
      {children}
    </p>
  );
}

/** What went wrong and the way out, as the server words it. */
export function Failure({ error, again }: { error: ApiError | undefined; again?: () => void }) {
  if (!error) return null;
  return (
    <div class="note bad" role="alert" data-source="text">
      <p>{error.message}</p>
      {error.problem.findings && error.problem.findings.length > 0 && (
        <ul>
          {error.problem.findings.map((f, i) => (
            <li key={i}>
              <code>{f.place}</code>: {f.says}
            </li>
          ))}
        </ul>
      )}
      {error.retryAfter && <p>Try again in {error.retryAfter} s.</p>}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Segments<T extends string>(props: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (v: T) => void }) {
  return (
    <div class="segments" role="group" aria-label={props.label}>
      {props.options.map(([v, text]) => (
        <button key={v} type="button" aria-pressed={v === props.value} onClick={() => props.onChange(v)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** Tabs after the pattern of the ARIA practices: one tab stop, arrow keys between them. */
export function Tabs<T extends string>(props: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (v: T) => void; children: ComponentChildren }) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const key = (e: KeyboardEvent): void => {
    const d = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (!d) return;
    const i = props.options.findIndex(([v]) => v === props.value);
    const next = props.options[(i + d + props.options.length) % props.options.length];
    if (!next) return;
    e.preventDefault();
    props.onChange(next[0]);
    requestAnimationFrame(() => list.current?.querySelector<HTMLButtonElement>('[aria-selected="true"]')?.focus());
  };
  return (
    <>
      <div class="tabs no-print" role="tablist" aria-label={props.label} ref={list} onKeyDown={key}>
        {props.options.map(([v, text]) => (
          <button
            key={v}
            type="button"
            role="tab"
            id={`${id}-${v}`}
            aria-selected={v === props.value}
            aria-controls={`${id}-panel`}
            tabIndex={v === props.value ? 0 : -1}
            onClick={() => props.onChange(v)}
          >
            {text}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${props.value}`}>
        {props.children}
      </div>
    </>
  );
}

export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  text: string;
  note?: string;
  onInput: (v: number) => void;
  onRemove?: () => void;
}) {
  const id = useId();
  return (
    <div class="slider" data-source="user">
      <label class="label" for={id} title={props.note}>
        {props.label}
      </label>
      <output for={id}>{props.text}</output>
      {props.onRemove ? (
        <button type="button" class="quiet" aria-label={`Take ${props.label} away`} onClick={props.onRemove}>
          ×
        </button>
      ) : (
        <span />
      )}
      <input
        id={id}
        type="range"
        min={props.min}
        max={props.max}
        step={props.step}
        value={props.value}
        aria-valuetext={props.text}
        onInput={(e) => props.onInput(Number(e.currentTarget.value))}
      />
    </div>
  );
}

export function Select(props: {
  label: string;
  value: string;
  onChange: (v: string) => void;
  children: ComponentChildren;
  hideLabel?: boolean;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={props.hideLabel ? "hidden" : ""}>
        {props.label}
      </label>
      <select id={id} value={props.value} onChange={(e) => props.onChange(e.currentTarget.value)}>
        {props.children}
      </select>
    </div>
  );
}

export function TextField(props: {
  label: string;
  value: string;
  onChange: (v: string) => void;
  type?: "text" | "number";
  note?: string;
  min?: number;
  max?: number;
  step?: number | "any";
  list?: string[];
  invalid?: boolean;
}) {
  const id = useId();
  return (
    <div class="field" data-source="user">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type={props.type ?? "text"}
        value={props.value}
        min={props.min}
        max={props.max}
        step={props.step}
        list={props.list ? `${id}-list` : undefined}
        aria-invalid={props.invalid || undefined}
        aria-describedby={props.note ? `${id}-note` : undefined}
        onChange={(e) => props.onChange(e.currentTarget.value)}
      />
      {props.list && (
        <datalist id={`${id}-list`}>
          {props.list.map((v) => (
            <option key={v} value={v} />
          ))}
        </datalist>
      )}
      {props.note && (
        <span id={`${id}-note`} class="small muted">
          {props.note}
        </span>
      )}
    </div>
  );
}

export function Key({ fill }: { fill: string }) {
  return <i class="key" style={{ background: fill }} aria-hidden="true" />;
}
