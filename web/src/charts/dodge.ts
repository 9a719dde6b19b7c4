/** Points moved apart just as far as it takes to see each of them. */

export interface Point {
  x: number;
  y: number;
}

const ROUNDS = 400;

/** Places near the given ones of which no two are closer than `least`; the same for the same points. */
export function dodge(points: readonly Point[], least: number): Point[] {
  const at = points.map((p) => ({ ...p }));
  for (let round = 0; round < ROUNDS; round += 1) {
    let moved = false;
    for (let i = 0; i < at.length; i += 1) {
      for (let j = i + 1; j < at.length; j += 1) {
        const [a, b] = [at[i] as Point, at[j] as Point];
        const [dx, dy] = [b.x - a.x, b.y - a.y];
        const d = Math.hypot(dx, dy);
        if (d >= least - 1e-6) continue;
        moved = true;
        // points that coincide part in a direction of their own, so that a pile opens to all sides
        const angle = 2.399963 * (i + j);
        const [ux, uy] = d > 1e-6 ? [dx / d, dy / d] : [Math.cos(angle), Math.sin(angle)];
        const push = (least - d) / 2 + 1e-3;
        a.x -= ux * push;
        a.y -= uy * push;
        b.x += ux * push;
        b.y += uy * push;
      }
    }
    if (!moved) break;
  }
  return at;
}
