/** Who holds what of a model, with whom and in which uses; and the buckets that it comes in. */
import { describe, expect, it } from 'vitest';
import { bucketLength, bucketsOf } from '../../../src/actors/parameters/bucket_plan.ts';
import { holdingsByAddress, holdingsOf, useKeysOf } from '../../../src/actors/parameters/holding.ts';
import { matrix, scale } from '../../../src/models/parameter.ts';

const table = matrix('table', 32, 16);
const norm = scale('norm', 16);
const [first, last] = [
  ['p0-d0', 'p0-d1'],
  ['p1-d0', 'p1-d1'],
];

/** A model whose first and last program use one table. */
const places = [
  { weights: { table }, holders: first },
  { weights: { up: matrix('up', 64, 16), norm }, holders: first },
  { weights: { head: table, norm: scale('final', 16) }, holders: last },
];

describe('the holdings of a model', () => {
  const holdings = holdingsByAddress(places);
  const told = (address: string) =>
    holdings.get(address)!.map(({ parameter, sharers, uses }) => [parameter.name, sharers.join(' '), uses]);

  it('say of a parameter that is used twice who has which use, and share it among all of them', () => {
    const all = 'p0-d0 p0-d1 p1-d0 p1-d1';
    expect(told('p0-d1')).toEqual([
      ['table', all, { own: [0], of: 2 }],
      ['up', 'p0-d0 p0-d1', { own: [0], of: 1 }],
      ['norm', 'p0-d0 p0-d1', { own: [0], of: 1 }],
    ]);
    expect(told('p1-d0')).toEqual([
      ['table', all, { own: [1], of: 2 }],
      ['final', 'p1-d0 p1-d1', { own: [0], of: 1 }],
    ]);
  });

  it('of one stage have both uses', () => {
    const alone = holdingsByAddress(places.map(({ weights }) => ({ weights, holders: ['it'] }))).get('it')!;
    expect(alone.map(({ uses }) => uses.own)).toEqual([[0, 1], [0], [0], [0]]);
  });

  it('name the gradient of every use', () => {
    expect(useKeysOf(places.map(({ weights }) => weights))).toEqual([
      { table: 'table' },
      { up: 'up', norm: 'norm' },
      { head: 'table@1', norm: 'final' },
    ]);
  });

  it('are refused where two parameters have one name', () => {
    const other = (weights: { head: typeof table }) => () => holdingsByAddress([...places, { weights, holders: last }]);
    expect(other({ head: matrix('table', 16, 32) })).toThrow(
      expect.objectContaining({
        tag: 'ParametersDiffer',
        message:
          'model: two parameters are named table, of shape [32, 16] and [16, 32]; a name is one parameter, give the other a name of its own',
      }),
    );
    expect(other({ head: { ...table, decays: false } })).toThrow('of which one decays');
  });
});

describe('the buckets of an actor', () => {
  it('have sharers, uses, rule and decay of their own, and come in the order in which backward ends', () => {
    const holdings = holdingsByAddress(places).get('p0-d0')!;
    const frozen = holdings.map((holding) => ({ ...holding, learns: holding.parameter !== norm }));
    const told = bucketsOf(frozen, { name: 'adamw' }).map(({ name, parameters, sharers, rule }) => [
      name,
      parameters.length,
      sharers.length,
      rule?.name,
    ]);
    expect(told).toEqual([
      ['norm', 1, 2, undefined],
      ['up', 1, 2, 'adamw'],
      ['table', 1, 4, 'adamw'],
    ]);
  });

  it('are the same at all sharers of layers that two weights have by turns', () => {
    // Eight layers on three stages: t, s, t | s, t, s | t, s. The last has the fourth use of both, the others not the same ones.
    const [t, s] = [matrix('t', 8, 8), matrix('s', 8, 8)];
    const stages = [0, 0, 0, 1, 1, 1, 2, 2];
    const holdings = holdingsByAddress(
      stages.map((stage, layer) => ({ weights: { w: layer % 2 === 0 ? t : s }, holders: [`p${stage}`] })),
    );
    const told = [...holdings].map(([address, held]) => [
      address,
      ...bucketsOf(held, { name: 'adamw' }).map(({ name, parameters, uses }) => [name, parameters.length, uses.own]),
    ]);
    expect(told).toEqual([
      ['p0', ['s', 1, [0]], ['t', 1, [0, 1]]],
      ['p1', ['s', 1, [1, 2]], ['t', 1, [2]]],
      ['p2', ['s', 1, [3]], ['t', 1, [3]]],
    ]);
  });

  it('are cut at 4 MiB, from the end of the model and never inside a parameter', () => {
    const sizes = [300, 600, 1500, 200, 500, 500, 100];
    const weights = Object.fromEntries(sizes.map((rows, i) => [`w${i}`, matrix(`w${i}`, rows, 1024)]));
    const buckets = bucketsOf(holdingsOf(weights, ['it']), { name: 'adamw' });
    expect(buckets.map(({ parameters }) => parameters.map(({ name }) => name))).toEqual([
      ['w5', 'w6'],
      ['w3', 'w4'],
      ['w2'],
      ['w0', 'w1'],
    ]);
    expect(buckets.map(bucketLength)).toEqual([600, 700, 1500, 900].map((rows) => rows * 1024));
  });
});
