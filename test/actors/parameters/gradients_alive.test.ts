/** How many gradients a role keeps at most, against trees that are filled in every order there is, or in many. */
import { expect, it } from 'vitest';
import { GradientTree } from '../../../src/actors/parameters/gradient_tree.ts';
import { gradientsAlive } from '../../../src/actors/parameters/gradients_alive.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

/** Gradients alive at once while a tree takes leaves: those that it has, and the one that is being made. */
async function aliveIn(order: readonly number[]): Promise<number> {
  let [alive, most] = [0, 0];
  const tree = new GradientTree<number>(
    () => Promise.resolve(),
    () => alive--,
  );
  for (const leaf of order) {
    most = Math.max(most, ++alive);
    await tree.insert(leaf, leaf);
  }
  return most;
}

/** Every order in which ranks can send their leaves, each in order. */
function* orders(ranks: number, microbatches: number, sent: readonly number[] = []): Generator<number[]> {
  if (sent.length === ranks * microbatches) yield [...sent];
  for (let rank = 0; rank < ranks; rank++) {
    const done = sent.filter((leaf) => Math.floor(leaf / microbatches) === rank).length;
    if (done < microbatches) yield* orders(ranks, microbatches, [...sent, rank * microbatches + done]);
  }
}

it.each([
  [2, 1],
  [3, 1],
  [4, 1],
  [5, 1],
  [6, 1],
  [2, 2],
  [3, 2],
  [4, 2],
  [2, 4],
])('%i ranks of %i microbatches keep what the worst order needs, and no more', async (ranks, microbatches) => {
  let most = 0;
  for (const order of orders(ranks, microbatches)) most = Math.max(most, await aliveIn(order));
  expect(gradientsAlive(microbatches, 0, ranks)).toBe(most);
});

it('is enough for any number of ranks and microbatches', async () => {
  for (let seed = 0; seed < 400; seed++) {
    const [ranks, microbatches] = [2 + Math.floor(unit(seed, 0) * 7), 1 + Math.floor(unit(seed, 1) * 9)];
    const done = Array.from({ length: ranks }, () => 0);
    const order = Array.from({ length: ranks * microbatches }, (_, i) => {
      const open = done.flatMap((count, rank) => (count < microbatches ? [rank] : []));
      const rank = open[Math.floor(unit(seed, 2 + i) * open.length)];
      return rank * microbatches + done[rank]++;
    });
    expect(gradientsAlive(microbatches, 0, ranks), `${ranks} x ${microbatches}`).toBeGreaterThanOrEqual(
      await aliveIn(order),
    );
  }
});

it.each([1, 2, 3, 5, 8, 12])('a rank of %i microbatches keeps what its own order needs', async (microbatches) => {
  for (const rank of [0, 1, 2, 5]) {
    const order = Array.from({ length: microbatches }, (_, i) => rank * microbatches + i);
    expect(gradientsAlive(microbatches, rank, 1), `rank ${rank}`).toBe(await aliveIn(order));
  }
});
