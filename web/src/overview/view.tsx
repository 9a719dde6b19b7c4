/** The first screen: CLEOPATRA as predicted and published, and the map alive beside it. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGet } from "../api";
import { Figure } from "../charts/frame";
import { KaplanMeier } from "../charts/km";
import { endpointShort, thousands } from "../format";
import { labels, publishedMedians } from "../trial/rows";
import { ResultTable } from "../trial/table";
import { Misses } from "../trial/result";
import type { About, First } from "../types";
import { Segments, Wait } from "../widgets/basic";
import { Num, RunLine, runSource } from "../widgets/source";

/** The map comes after the first chart. */
let liveMap: ComponentType | undefined;
const loadMap = (): Promise<ComponentType> => import("./live_map").then((m) => (liveMap = m.LiveMap));

export function OverviewView() {
  const first = useGet<First>("/first?brief=true", true);
  const about = useGet<About>("/about", true);
  const [Map, setMap] = useState<ComponentType | undefined>(() => liveMap);
  useEffect(() => {
    if (!Map) void loadMap().then((m) => setMap(() => m));
  }, []);
  return (
    <>
      <div class="head">
        <div>
          <h1>An executable model of HER2-positive breast cancer</h1>
          <p>Built on two review papers. See how the receptors and pathways of a tumour cell answer a drug, run a clinical trial in virtual patients beside the published result, and follow every number to its sentence.</p>
        </div>
        {about.data && <Counts about={about.data} />}
      </div>
      <div class="grid home">
        <section class="panel" aria-label="CLEOPATRA">
          {first.data ? <Cleopatra first={first.data} /> : first.error ? <NoFirst error={first.error.message} /> : <Wait />}
        </section>
        {Map ? <Map /> : <section class="panel map-wait"><Wait>Loading the map …</Wait></section>}
      </div>
      <nav class="grid doors" aria-label="What to do next">
        <Door href="/pathway" heading="Change the cell">Drugs and doses by sliders, fifty mechanisms on and off, two conditions side by side.</Door>
        <Door href="/trial" heading="Run a trial">Any trial of the reviews, or one of your own: arms, regimens, population, endpoints.</Door>
        <Door href="/scoreboard" heading="See where it fails">Published figures beside their predictions, misses first.</Door>
        <Door href="/patient" heading="Explain a patient">Escape routes, options of the rules, predicted courses and the reasons.</Door>
        <Door href="/evidence" heading="Read the evidence">Claims with their lines, contradictions, and what each number rests on.</Door>
      </nav>
    </>
  );
}

function Door({ href, heading, children }: { href: string; heading: string; children: string }) {
  return (
    <a class="panel door" href={href}>
      <h2>{heading}</h2>
      <p>{children}</p>
    </a>
  );
}

function NoFirst({ error }: { error: string }) {
  return (
    <div class="empty">
      <h2>CLEOPATRA is not computed yet</h2>
      <p>{error}</p>
      <p>
        <a href="/trial/cleopatra">Run it now</a>
      </p>
    </div>
  );
}

function Counts({ about }: { about: About }) {
  const shown: [string, string][] = [
    ["claims", "claims"],
    ["endpoints", "printed figures"],
    ["trials", "trials and studies"],
    ["conflicts", "conflicts"],
  ];
  return (
    <div class="big counts" data-source="count:record">
      {shown.map(([k, text]) => {
        const n = about.counts[k];
        if (n === undefined) return null;
        return (
          <div key={k}>
            <strong>{thousands(n)}</strong>
            <span>{text}</span>
          </div>
        );
      })}
    </div>
  );
}

function Cleopatra({ first }: { first: First }) {
  const result = first.trial;
  const [endpoint, set] = useState("pfs");
  const endpoints = Object.keys(result.curves).filter((e) => e === "pfs" || e === "os");
  const source = runSource(result.run);
  return (
    <div class="stack">
      <header class="row between">
        <h2>
          <a href="/trial/cleopatra">CLEOPATRA</a>: pertuzumab added to trastuzumab and docetaxel
        </h2>
        <Segments label="Endpoint" value={endpoint} options={endpoints.map((e) => [e, endpointShort(e)] as const)} onChange={set} />
      </header>
      <Figure name={`cleopatra ${endpoint}`} source={source} plain>
        <KaplanMeier endpoint={endpoint} curves={result.curves[endpoint] ?? []} labels={labels(result)} published={publishedMedians(result.result, endpoint)} source={source} height={265} />
      </Figure>
      <ResultTable result={result} brief />
      <Misses result={result} />
      <RunLine run={result.run}>
        Precomputed, <Num source={source}>{thousands(result.result.patients)}</Num> virtual patients on every arm;
      </RunLine>
    </div>
  );
}
