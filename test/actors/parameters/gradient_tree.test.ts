/** Gradients add up in one order: any order of arrival and any division among ranks give the same bits. */
import { describe, expect, it } from 'vitest';
import { GradientTree } from '../../../src/actors/parameters/gradient_tree.ts';
import { gradientsAlive } from '../../../src/actors/parameters/gradients_alive.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

/** A tree of expressions: what was added to what is in the text. */
function textTree(): GradientTree<{ text: string }> {
  return new GradientTree(
    (into, from) => {
      into.text = `(${into.text}+${from.text})`;
      return Promise.resolve();
    },
    () => undefined,
  );
}

async function foldLeaves(indices: readonly number[]): Promise<string | undefined> {
  const tree = textTree();
  for (const index of indices) await tree.insert({ text: String(index) }, index);
  return (await tree.root())?.text;
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const keyed = items.map((item, i) => ({ item, key: unit(seed, i) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

describe('a gradient tree', () => {
  it.each([
    [1, '0'],
    [2, '(0+1)'],
    [3, '((0+1)+2)'],
    [4, '((0+1)+(2+3))'],
    [5, '(((0+1)+(2+3))+4)'],
    [6, '(((0+1)+(2+3))+(4+5))'],
    [7, '(((0+1)+(2+3))+((4+5)+6))'],
  ])('over %i leaves is binary over their index', async (leaves, expression) => {
    expect(await foldLeaves(range(leaves))).toBe(expression);
  });

  it('is the same whatever the order of arrival', async () => {
    for (const leaves of [2, 3, 5, 6, 7, 8, 11, 16]) {
      const inOrder = await foldLeaves(range(leaves));
      for (let seed = 0; seed < 10; seed++) expect(await foldLeaves(shuffled(range(leaves), seed))).toBe(inOrder);
    }
  });

  it.each([
    ['the first', [1, 2, 3], '(1+(2+3))'],
    ['a middle one', [0, 2, 3], '(0+(2+3))'],
    ['all of one side', [4, 6], '(4+6)'],
    ['all but the last', [7], '7'],
  ])('takes a missing leaf for nothing: %s', async (_which, present, expression) => {
    for (let seed = 0; seed < 4; seed++) expect(await foldLeaves(shuffled(present, seed))).toBe(expression);
  });

  it('folds on where leaves are known to be missing: in the same order, and never with more of them alive', async () => {
    for (let present = 0; present < 256; present++) {
      const isThere = (leaf: number): boolean => ((present >> leaf) & 1) === 1;
      let [alive, most] = [0, 0];
      const tree = new GradientTree<{ text: string }>(
        (into, from) => {
          into.text = `(${into.text}+${from.text})`;
          return Promise.resolve();
        },
        () => alive--,
      );
      for (const leaf of range(8)) {
        if (isThere(leaf)) most = Math.max(most, ++alive);
        await (isThere(leaf) ? tree.insert({ text: String(leaf) }, leaf) : tree.skip(leaf));
      }
      expect((await tree.root())?.text).toBe(await foldLeaves(range(8).filter(isThere)));
      expect(most).toBeLessThanOrEqual(gradientsAlive(8, 0, 1));
    }
  });

  it.each([2, 3, 4, 6])('folded by %i ranks is the whole, in whatever order their blocks arrive', async (ranks) => {
    for (const each of [1, 2, 3, 4, 5]) {
      const whole = await foldLeaves(range(ranks * each));
      const blocks = [];
      for (let rank = 0; rank < ranks; rank++) {
        const own = textTree();
        for (const i of range(each)) await own.insert({ text: String(rank * each + i) }, rank * each + i);
        blocks.push(...own.drain());
      }
      for (let seed = 0; seed < 5; seed++) {
        const tree = textTree();
        for (const { value, index, level } of shuffled(blocks, seed)) await tree.insert({ ...value }, index, level);
        expect((await tree.root())?.text).toBe(whole);
      }
    }
  });

  it('drains maximal blocks in index order, and is empty then', async () => {
    const tree = textTree();
    for (const index of [5, 3, 4, 2, 6]) await tree.insert({ text: String(index) }, index);
    expect(tree.drain()).toEqual([
      { level: 1, index: 1, value: { text: '(2+3)' } },
      { level: 1, index: 2, value: { text: '(4+5)' } },
      { level: 0, index: 6, value: { text: '6' } },
    ]);
    expect(tree.drain()).toEqual([]);
    expect(await tree.root()).toBeNull();
  });

  it('frees every value but the root, once', async () => {
    const freed: number[] = [];
    const tree = new GradientTree<{ id: number }>(
      () => Promise.resolve(),
      ({ id }) => freed.push(id),
    );
    for (const id of [4, 1, 0, 2, 3]) await tree.insert({ id }, id);
    const root = await tree.root();
    expect(root).toEqual({ id: 0 });
    expect(freed.sort()).toEqual([1, 2, 3, 4]);
  });

  it('holds at most log2(m) + 1 values when leaves arrive in order', async () => {
    let held = 0;
    let most = 0;
    const tree = new GradientTree<number>(
      () => Promise.resolve(),
      () => held--,
    );
    for (const index of range(16)) {
      most = Math.max(most, ++held);
      await tree.insert(index, index);
    }
    expect(most).toBe(5);
  });
});
