import { words } from "../format";

/** Short names of trials: what their titles end with in brackets, up to a comma, where no other trial ends so, or else the id in words. */
export function trialNames(trials: readonly { id: string; title: string }[]): Map<string, string> {
  const given = trials.map((t) => {
    const whole = /\(([^()]+)\)$/.exec(t.title)?.[1] ?? "";
    return { id: t.id, whole, head: whole.split(",")[0] ?? "" };
  });
  const single = (field: "whole" | "head", name: string): boolean => name !== "" && given.filter((g) => g[field] === name).length === 1;
  return new Map(
    given.map(({ id, whole, head }) => {
      if (single("head", head)) return [id, head];
      if (single("whole", whole)) return [id, whole];
      return [id, words(id).replace(/^[^ ]+/, (w) => (head.toLowerCase().startsWith(w) ? head.slice(0, w.length) : w.toUpperCase()))];
    }),
  );
}
