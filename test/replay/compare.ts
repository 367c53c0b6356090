/** The comparison of one run as two trees played it: the same bits, or where the first other one is. */
import type { Line, Played } from './player.ts';

export type Verdict =
  | { readonly kind: 'equal'; readonly lines: number }
  | { readonly kind: 'different'; readonly where: string }
  | { readonly kind: 'left out'; readonly why: string };

/** Whether `after` is `before`, value for value. What neither tree could play is left out; one alone is a difference. */
export function compare(before: Played, after: Played): Verdict {
  if ('failure' in before || 'failure' in after) {
    if ('failure' in before && 'failure' in after) return { kind: 'left out', why: after.failure };
    const where = 'failure' in after ? `fails here: ${after.failure}` : `failed there: ${failureOf(before)}`;
    return { kind: 'different', where };
  }
  if (before.curve.length !== after.curve.length) {
    return { kind: 'different', where: `${after.curve.length} steps, were ${before.curve.length}` };
  }
  const lines = before.curve.map((line, i): [Line, Line] => [line, after.curve[i]]);
  for (const [was, is] of [...lines, [before.ends, after.ends] as const]) {
    const key = firstDifference(was, is);
    if (key !== null) {
      const at = 'step' in was ? `step ${show(was.step)}, ` : 'at the end, ';
      return { kind: 'different', where: `${at}${key}: ${show(is[key])}, was ${show(was[key])}` };
    }
  }
  return { kind: 'equal', lines: before.curve.length };
}

/** Of time, which the player of an older tree leaves in its lines. */
const ofTime = 'credit_wait_ms';

/** The first key whose values differ, or that is gone; a line may have keys that it had not. */
function firstDifference(was: Line, is: Line): string | null {
  const keys = Object.keys(was).filter((key) => key !== ofTime);
  // JSON writes a double in as many digits as tell it from all others.
  for (const key of keys) if (JSON.stringify(was[key]) !== JSON.stringify(is[key])) return key;
  return null;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function failureOf(played: Played): string {
  return 'failure' in played ? played.failure : '';
}
