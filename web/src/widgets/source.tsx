/** Where a number comes from: each carries a `data-source`, and one drawer shows what stands behind it.
 *
 * `run:ID`      the model, in the run of that digest
 * `record:ID`   an entry of the record (`her2 trace ID`)
 * `place:TEXT`  a place in a source, ready for reading
 * `count:WHAT`  counted or pooled from the record by the server
 * `user`        entered on this page
 * `text`        a definition or a setting in a sentence, no result
 */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api";
import type { Run, Trace } from "../types";
import { traceHref } from "../links";

export interface Sourced {
  source: string;
  /** What the number is, for the drawer. */
  about?: string;
}

const runs = new Map<string, Run>();

/** `run:...` of a run, which the drawer can then describe. */
export function runSource(run: Run | undefined | null): string {
  if (!run) return "text";
  const id = run.digest || run.id;
  runs.set(id, run);
  return `run:${id}`;
}

/** Of a place as the trial report prints it, such as `review_b, line 663`. */
export function placeSource(where: string | null | undefined): string {
  return where ? `place:${where}` : "text";
}

export function Num({ source, about, children }: Sourced & { children: ComponentChildren }) {
  return (
    <span class="num tab" data-source={source} data-about={about}>
      {children}
    </span>
  );
}

/** The line under a view that names its run, a way to the drawer without a mouse. */
export function RunLine({ run, children }: { run: Run | undefined | null; children?: ComponentChildren }) {
  if (!run) return null;
  const source = runSource(run);
  return (
    <p class="small muted">
      {children}{" "}
      <button type="button" class="link" data-source={source} data-open="" data-about="this run">
        run <code>{(run.digest || run.id).slice(0, 12)}</code>
      </button>
      , version <span data-source={source}>{run.version}</span>
      {run.seed !== undefined && run.seed !== null && (
        <>
          , seed <span data-source={source}>{run.seed}</span>
        </>
      )}
    </p>
  );
}

/** A link-like button that opens the drawer on a place of a source. */
export function PlaceButton({ where, children }: { where: string | null | undefined; children?: ComponentChildren }) {
  if (!where) return null;
  return (
    <button type="button" class="link small" data-source={placeSource(where)} data-open="">
      {children ?? where}
    </button>
  );
}

interface Open {
  source: string;
  about: string;
  text: string;
  from: HTMLElement;
}

/** Listens for clicks on anything that carries a source. */
export function SourceDrawer() {
  const [open, set] = useState<Open | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const click = (e: MouseEvent): void => {
      const target = (e.target as Element | null)?.closest<HTMLElement>("[data-source].num, [data-source][data-open]");
      if (!target || (target.closest("a") && !target.hasAttribute("data-open"))) return;
      const source = target.dataset["source"] ?? "";
      if (source === "text" || source === "user") return;
      set({ source, about: target.dataset["about"] ?? "", text: target.textContent ?? "", from: target });
    };
    const key = (e: KeyboardEvent): void => {
      if (e.key === "Escape")
        set((o) => {
          if (o?.from.hasAttribute("data-open")) o.from.focus();
          return null;
        });
    };
    addEventListener("click", click);
    addEventListener("keydown", key);
    return () => {
      removeEventListener("click", click);
      removeEventListener("keydown", key);
    };
  }, []);
  useEffect(() => {
    if (open?.from.hasAttribute("data-open")) button.current?.focus();
  }, [open]);
  if (!open) return null;
  const close = (): void => {
    if (open.from.hasAttribute("data-open")) open.from.focus();
    set(null);
  };
  return (
    <aside class="drawer no-print" aria-label="Where this number comes from">
      <header>
        <h2>{open.about || "Where this comes from"}</h2>
        <button ref={button} type="button" class="quiet icon" aria-label="Close" onClick={close}>
          ×
        </button>
      </header>
      <Behind {...open} />
    </aside>
  );
}

function Behind({ source, text }: Open): JSX.Element {
  if (source.startsWith("run:")) {
    const id = source.slice(4);
    const run = runs.get(id);
    return (
      <div data-source={source}>
        <p class="tab">{text}</p>
        <p class="small muted">Computed by the model, not measured and not printed in a source.</p>
        <dl class="facts">
          <dt>digest</dt>
          <dd class="mono">{id}</dd>
          {run && (
            <>
              <dt>version</dt>
              <dd>{run.version}</dd>
              {run.posterior && (
                <>
                  <dt>posterior</dt>
                  <dd class="mono">{run.posterior}</dd>
                </>
              )}
              {run.seed !== undefined && run.seed !== null && (
                <>
                  <dt>seed</dt>
                  <dd>{run.seed}</dd>
                </>
              )}
              {run.id && run.id !== id && (
                <>
                  <dt>run</dt>
                  <dd class="mono">{run.id}</dd>
                </>
              )}
            </>
          )}
        </dl>
        <p class="small muted">The same input and seed give the same digest on this machine.</p>
      </div>
    );
  }
  if (source.startsWith("count:")) {
    return (
      <div data-source={source}>
        <p class="tab">{text}</p>
        <p>Counted or pooled from the entries of the record; each entry names its lines.</p>
      </div>
    );
  }
  if (source.startsWith("record:")) return <Traced id={source.slice(7)} text={text} />;
  const where = source.replace(/^place:/, "");
  return (
    <div data-source={source}>
      <p class="tab">{text}</p>
      <p>
        Printed in <strong>{where}</strong>.
      </p>
      <p class="small">
        <a href={`/evidence?q=${encodeURIComponent(where.split(",")[0] ?? where)}`}>Search the record for this source</a>
      </p>
    </div>
  );
}

function Traced({ id, text }: { id: string; text: string }) {
  const [trace, set] = useState<Trace | null | undefined>(undefined);
  useEffect(() => {
    let alive = true;
    get<Trace>(`/evidence/trace?id=${encodeURIComponent(id)}&direction=up&depth=2&limit=40`, { keep: true }).then(
      (t) => alive && set(t),
      () => alive && set(null),
    );
    return () => {
      alive = false;
    };
  }, [id]);
  return (
    <div data-source={`record:${id}`}>
      <p class="tab">{text}</p>
      {trace === undefined && <p class="muted">Looking up …</p>}
      {trace === null && <p>The record has no entry under this name.</p>}
      {trace?.found.map((n) => (
        <p key={n.key}>
          <span class="chip">{n.kind}</span> {n.label}
        </p>
      ))}
      {trace?.rests_on && trace.rests_on.nodes.length > 0 && (
        <>
          <h3>Rests on</h3>
          <ul class="small">
            {trace.rests_on.nodes.slice(0, 14).map((n) => (
              <li key={n.key}>
                <a href={traceHref(n.key)}>{n.label}</a> <span class="muted">{n.kind}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <p class="small">
        <a href={traceHref(id)}>Open the whole trace</a>
      </p>
    </div>
  );
}
