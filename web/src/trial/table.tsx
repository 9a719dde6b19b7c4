/** Predicted beside published, a row per statistic; misses are marked. */

import { interval, show } from "../format";
import type { TrialResult } from "../types";
import { Key } from "../widgets/basic";
import { Num, PlaceButton, placeSource, runSource } from "../widgets/source";
import { colour } from "../charts/frame";
import { armRows, contrastRows, type ResultRow } from "./rows";

const ROLES: Record<string, string> = { fit: "fitted", context: "not used", held_out: "held out" };

export function ResultTable({ result, brief }: { result: TrialResult; brief?: boolean }) {
  const rows = [...armRows(result.result), ...contrastRows(result.result)].filter(
    (r) => !brief || ["orr", "pfs", "os", "dfs", "pcr"].includes(r.endpoint),
  );
  const source = runSource(result.run);
  const groups = [...new Set(rows.map((r) => r.arm))];
  return (
    <div class="scroll">
      <table class={brief ? "results brief" : "results"}>
        <caption class="hidden">Predicted beside published</caption>
        <thead>
          <tr>
            <th scope="col">statistic</th>
            <th scope="col" class="n">
              predicted <span class="sub" data-source="text">90&nbsp;% interval</span>
            </th>
            <th scope="col" class="n">
              published <span class="sub" data-source="text">95&nbsp;% interval</span>
            </th>
            {!brief && (
              <th scope="col" class="n">
                null model
              </th>
            )}
            {!brief && <th scope="col">where printed</th>}
          </tr>
        </thead>
        {groups.map((g) => {
          const of = rows.filter((r) => r.arm === g);
          const i = result.arms.findIndex((a) => a.id === g);
          return (
            <tbody key={g}>
              <tr class="group">
                <th colSpan={brief ? 3 : 5} scope="rowgroup">
                  {i >= 0 && <Key fill={colour(i)} />}
                  {of[0]?.armLabel}
                </th>
              </tr>
              {of.map((r) => (
                <Row key={r.key} row={r} source={source} brief={brief} />
              ))}
            </tbody>
          );
        })}
      </table>
    </div>
  );
}

function Row({ row, source, brief }: { row: ResultRow; source: string; brief?: boolean | undefined }) {
  const e = row.estimate;
  const printed = placeSource(e.source);
  return (
    <tr class={row.outside ? "out" : ""}>
      <td>{row.name}</td>
      <td class="n">
        <Num source={source} about={`Predicted ${row.name}, ${row.armLabel}`}>
          <strong>{show(e.value, row.kind)}</strong>
          <span class="sub">{interval(e.low, e.high, row.kind)}</span>
        </Num>
      </td>
      <td class="n pub">
        {e.published === null ? (
          <span class="muted">–</span>
        ) : (
          <Num source={printed} about={`Published ${row.name}, ${row.armLabel}`}>
            {brief && e.source ? <PlaceButton where={e.source}>{show(e.published, row.kind)}</PlaceButton> : show(e.published, row.kind)}
            {row.outside && <span class="chip bad">outside</span>}
            {e.published_low != null && <span class="sub">{interval(e.published_low, e.published_high, row.kind)}</span>}
          </Num>
        )}
      </td>
      {!brief && (
        <td class="n">
          <Num source={source} about={`Null model, ${row.name}`}>
            {show(row.nullModel, row.kind)}
          </Num>
        </td>
      )}
      {!brief && (
        <td>
          <PlaceButton where={e.source} />
          {e.role && e.published !== null && <span class="sub">{ROLES[e.role] ?? e.role}</span>}
        </td>
      )}
    </tr>
  );
}
