/** The frame of the page: navigation, the line about research use, and the view that the address names. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGet } from "./api";
import { OverviewView } from "./overview/view";
import { go, useRoute } from "./route";
import type { About } from "./types";
import { Wait } from "./widgets/basic";
import { SourceDrawer } from "./widgets/source";
import { ThemeButton } from "./widgets/theme";

type Load = () => Promise<ComponentType>;

const VIEWS: [string, string, Load][] = [
  ["pathway", "Pathway", () => import("./pathway/view").then((m) => m.PathwayView)],
  ["trial", "Trial", () => import("./trial/view").then((m) => m.TrialView)],
  ["scoreboard", "Scoreboard", () => import("./scoreboard/view").then((m) => m.ScoreboardView)],
  ["patient", "Patient", () => import("./patient/view").then((m) => m.PatientView)],
  ["evidence", "Evidence", () => import("./evidence/view").then((m) => m.EvidenceView)],
];

const ready = new Map<string, ComponentType>();

/** Links inside the page change the address without loading it again. */
function follow(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const a = (e.target as Element | null)?.closest("a");
  if (!a || a.hasAttribute("download") || a.target) return;
  const href = a instanceof SVGAElement ? a.href.baseVal : a.getAttribute("href");
  if (!href?.startsWith("/") || href.startsWith("/api/") || href.startsWith("//")) return;
  e.preventDefault();
  go(href);
}

export function App() {
  const { path } = useRoute();
  const name = path[0] ?? "";
  const about = useGet<About>("/about", true);
  const [, again] = useState(0);
  useEffect(() => {
    document.addEventListener("click", follow);
    return () => document.removeEventListener("click", follow);
  }, []);
  const found = VIEWS.find(([id]) => id === name);
  useEffect(() => {
    document.title = found ? `${found[1]} – her2` : "her2";
    if (found && !ready.has(name))
      void found[2]().then((view) => {
        ready.set(name, view);
        again((n) => n + 1);
      });
  }, [name]);
  const View = name === "" ? OverviewView : ready.get(name);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => {
        e.preventDefault();
        document.getElementById("main")?.focus();
      }}>
        Go to the content
      </a>
      <header class="top">
        <div>
          <a class="brand" href="/" aria-label="her2, first page">
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <rect width="32" height="32" rx="7" fill="#0a6470" />
              <path d="M9 7v9q0 4 7 4t7-4V7M16 20v6" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round" />
              <circle cx="9" cy="7" r="2.6" fill="#f0a35e" />
              <circle cx="23" cy="7" r="2.6" fill="#f0a35e" />
            </svg>
            her2
          </a>
          <nav aria-label="Views">
            {VIEWS.map(([id, text]) => (
              <a key={id} href={`/${id}`} aria-current={id === name ? "page" : undefined}>
                {text}
              </a>
            ))}
          </nav>
          <ThemeButton />
        </div>
      </header>
      <p class="research">For research, not for treating patients. Predictions of a model fitted to two reviews of 2015 and 2016.</p>
      <main id="main" tabIndex={-1}>
        {View ? <View key={name} /> : found ? <Wait /> : name === "" ? null : <NotFound />}
      </main>
      <footer class="foot">
        <div>
          <span data-source="text">{about.data ? `her2 ${about.data.version}` : "her2"}</span>
          <span class="row">
            <a href="/api/openapi.json">OpenAPI</a>
            <span>Numbers lead to their source: click one.</span>
          </span>
        </div>
      </footer>
      <SourceDrawer />
    </>
  );
}

function NotFound() {
  return (
    <section class="panel empty">
      <h1>There is no such view</h1>
      <p>
        <a href="/">Go to the first page</a>
      </p>
    </section>
  );
}
