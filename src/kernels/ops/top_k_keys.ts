/** What the forms of `topK` agree on: how many are chosen from which groups, and the least number that there is. */
/** Equal runs of a row, of which only the `keep` of most worth may be chosen from (arXiv 2412.19437 §2.1.2). */
export interface GroupLimit {
  readonly groups: number;
  readonly keep: number;
}

export interface TopK extends GroupLimit {
  readonly k: number;
}

/** What NaN and everything below it count as. */
export const LEAST_KEY = -3.4028234663852886e38;
