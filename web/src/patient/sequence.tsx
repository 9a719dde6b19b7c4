/** Sequences of lines compared in the same twins; the first is the reference. */

import { interval, regimen, show, signed } from "../format";
import type { Run } from "../types";
import { Num, RunLine, runSource } from "../widgets/source";
import type { Times } from "./types";

interface Difference {
  value: number;
  interval_90: [number, number];
}

export interface SequenceAnswer {
  research_use: string;
  refused: boolean;
  refusals: { says: string }[];
  sequences: {
    regimens: string[];
    origin: string;
    os: Times;
    survival: number;
    chemotherapy: number;
    difference: Difference;
    better: number;
    verdict: string;
  }[];
  sentences: { text: string; ids: string[] }[];
}

export function SequenceResult({ answer, run }: { answer: SequenceAnswer; run: Run }) {
  const source = runSource(run);
  return (
    <section class="panel" aria-label="Sequences compared">
      <h2>Sequences compared</h2>
      {answer.refusals.map((r, i) => (
        <p class="note warn" key={i} data-source={source}>
          {r.says}
        </p>
      ))}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>sequence</th>
              <th class="n">
                median survival <span class="sub" data-source="text">months, 90&nbsp;% of patients</span>
              </th>
              <th class="n">
                mean survival against the first <span class="sub" data-source="text">months, 90&nbsp;% interval</span>
              </th>
              <th class="n">
                months on chemotherapy
              </th>
              <th>verdict</th>
            </tr>
          </thead>
          <tbody>
            {answer.sequences.map((s, i) => (
              <tr key={i}>
                <td>
                  {s.regimens.map(regimen).join(", then ")}
                  <span class="sub">{s.origin === "rules" ? "by the rules" : "another order"}</span>
                </td>
                <td class="n">
                  <Num source={source} about="Median survival">
                    <strong>{show(s.os.median, "median")}</strong>
                    <span class="sub">{interval(s.os.interval_90[0], s.os.interval_90[1], "median")}</span>
                  </Num>
                </td>
                <td class="n">
                  <Num source={source} about="Difference of mean survival, the same twins">
                    {i === 0 ? "reference" : signed(s.difference.value, 1)}
                    {i > 0 && <span class="sub">{interval(s.difference.interval_90[0], s.difference.interval_90[1], "median")}</span>}
                  </Num>
                </td>
                <td class="n">
                  <Num source={source} about="Mean time on chemotherapy">
                    {s.chemotherapy.toFixed(1)}
                  </Num>
                </td>
                <td class="small">{s.verdict}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul class="plain neighbours">
        {answer.sentences.map((s, i) => (
          <li key={i} data-source={source}>
            {s.text}
          </li>
        ))}
      </ul>
      <p class="note warn" data-source="text">{answer.research_use}</p>
      <RunLine run={run} />
    </section>
  );
}
