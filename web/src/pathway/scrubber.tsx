/** Days of adaptation: a slider with a play button. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ADAPTED } from "./condition";

const SECONDS = 9;

export function Scrubber({ days, onDays, ready }: { days: number; onDays: (d: number) => void; ready: boolean }) {
  const id = useId();
  const [playing, setPlaying] = useState(false);
  const now = useRef(days);
  now.current = days;
  useEffect(() => {
    if (!playing) return undefined;
    let last = performance.now();
    let frame = 0;
    const step = (t: number): void => {
      // early days pass more slowly: that is where most happens
      const d = Math.min(now.current + ((t - last) / 1000) * (0.12 + now.current / 7) * (28 / SECONDS / 2.2), ADAPTED);
      last = t;
      onDays(d);
      if (d >= ADAPTED) setPlaying(false);
      else frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [playing]);
  return (
    <div class="scrubber no-print" data-source="user">
      <button
        type="button"
        class="icon"
        disabled={!ready}
        aria-label={playing ? "Stop" : "Play the adaptation"}
        onClick={() => {
          if (!playing && days >= ADAPTED) onDays(0);
          now.current = days >= ADAPTED ? 0 : days;
          setPlaying(!playing);
        }}
      >
        <span aria-hidden="true">{playing ? "❚❚" : "▶"}</span>
      </button>
      <div>
        <label for={id} class="hidden">
          Day of adaptation
        </label>
        <input
          id={id}
          type="range"
          min={0}
          max={ADAPTED}
          step={0.25}
          value={days}
          disabled={!ready}
          aria-valuetext={dayText(days)}
          onInput={(e) => {
            setPlaying(false);
            onDays(Number(e.currentTarget.value));
          }}
        />
      </div>
      <output for={id}>{dayText(days)}</output>
    </div>
  );
}

export function dayText(days: number): string {
  if (days === 0) return "acute";
  return days < 10 ? `day ${days.toFixed(1)}` : `day ${Math.round(days)}`;
}
