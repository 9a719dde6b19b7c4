/** What colours and lines of the map mean. */

import type { Colouring } from "./map";

export function MapLegend({ colouring }: { colouring: Colouring }) {
  const line = (stroke: string, dash?: string) => (
    <svg viewBox="0 0 34 12" aria-hidden="true">
      <path d="M1,6H33" style={{ stroke, strokeWidth: 2.4, strokeDasharray: dash }} />
    </svg>
  );
  return (
    <div class="map-legend">
      {colouring === "level" ? (
        <span>
          off <i class="ramp" /> full
        </span>
      ) : (
        <span>
          falls <i class="ramp change" /> rises
        </span>
      )}
      <span>{line("var(--act)")}activates</span>
      <span>{line("var(--inh)")}inhibits</span>
      <span>{line("var(--slow)", "5 4")}over days to weeks</span>
      <span>{line("var(--drug)")}drug</span>
    </div>
  );
}
