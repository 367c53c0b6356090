/**
 * The routing health of a step says how evenly experts were loaded, and how large logits of routers have become: four numbers
 * of a mixture, from what tokens chose before anything was dropped. A line of metrics has the worst of each.
 */
import type { RoutingHealth } from '../../telemetry/index.ts';

/** What the tokens of a step did in one mixture. */
export interface MixtureUse {
  /** Choices of each expert before dropping. */
  readonly load: readonly number[];
  readonly tokens: number;
  /** Σ over tokens of logsumexp(logits)². */
  readonly logitSquares: number;
}

/**
 * The health of one mixture; null where no token came. `max_violation` is that of arXiv 2408.15664 eq. 4, `effective` exp(H) ÷ E
 * with the entropy H of the load: 1 at perfect balance, 1 / E where one expert has all.
 */
export function healthOf({ load, tokens, logitSquares }: MixtureUse): RoutingHealth | null {
  const total = load.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  let [most, dead, entropy] = [0, 0, 0];
  for (const n of load) {
    most = Math.max(most, n);
    if (n === 0) dead++;
    else entropy -= (n / total) * Math.log(n / total);
  }
  return {
    max_violation: (most * load.length) / total - 1,
    dead: dead / load.length,
    effective: Math.exp(entropy) / load.length,
    logit_size: Math.sqrt(logitSquares / tokens),
  };
}

/** Each number of the mixture in which it is worst; null without mixtures. */
export function worstOf(each: readonly RoutingHealth[]): RoutingHealth | null {
  if (each.length === 0) return null;
  return {
    max_violation: Math.max(...each.map(({ max_violation }) => max_violation)),
    dead: Math.max(...each.map(({ dead }) => dead)),
    effective: Math.min(...each.map(({ effective }) => effective)),
    logit_size: Math.max(...each.map(({ logit_size }) => logit_size)),
  };
}
