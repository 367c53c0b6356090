/**
 * A set of whole numbers below a bound that finds the smallest of them at or above another in as many steps as the bound has
 * bits: a tree of flags, each of which says whether there is a number below it.
 */

export class NumberSet {
  /** The children of `at` are `2 at` and `2 at + 1`; the leaf of a number is `#leaves` further. */
  readonly #flags: Uint8Array;
  readonly #leaves: number;

  constructor(bound: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(bound, 2)));
    this.#flags = new Uint8Array(2 * this.#leaves);
  }

  clear(): void {
    this.#flags.fill(0);
  }

  add(number: number): void {
    for (let at = this.#leaves + number; at > 0 && this.#flags[at] === 0; at >>>= 1) this.#flags[at] = 1;
  }

  delete(number: number): void {
    let at = this.#leaves + number;
    this.#flags[at] = 0;
    for (at >>>= 1; at > 0 && this.#flags[2 * at] + this.#flags[2 * at + 1] === 0; at >>>= 1) this.#flags[at] = 0;
  }

  /** The smallest number from `number`, which is below the bound, on; −1 where there is none. */
  from(number: number): number {
    let at = this.#leaves + number;
    if (this.#flags[at] === 1) return number;
    // Up, until there is something to the right.
    while (at > 1 && (at % 2 === 1 || this.#flags[at + 1] === 0)) at >>>= 1;
    if (at <= 1) return -1;
    at += 1;
    while (at < this.#leaves) at = 2 * at + (1 - this.#flags[2 * at]);
    return at - this.#leaves;
  }
}
