import { expect, test } from 'vitest';
import { NO_LEASES, observe, type LeaseState, type Sign } from '../../../src/runtime/cluster/lease.ts';

const TERMS = { leaseMs: 1_000, maxGapMs: 500 };

/** Feeds polls at given times, each with a revision by node; returns what each poll told. */
function polls(...readings: readonly (readonly [number, Readonly<Record<string, number | Sign>>])[]) {
  let state: LeaseState = NO_LEASES;
  return readings.map(([atMs, nodes]) => {
    const signs = new Map(
      Object.entries(nodes).map(([node, sign]) => [
        node,
        typeof sign === 'number' ? { revision: sign, incarnation: 1 } : sign,
      ]),
    );
    const { state: next, joined, died, left } = observe(state, { startMs: atMs, endMs: atMs, signs }, TERMS);
    state = next;
    return { joined, died, left };
  });
}

const nothing = { joined: [], died: [], left: [] };

test('a node without a new revision for a lease is dead, told once', () => {
  const told = polls(
    [0, { a: 1 }],
    [400, { a: 2 }],
    [800, { a: 2 }],
    [1_200, { a: 2 }],
    [1_399, { a: 2 }],
    [1_400, { a: 2 }],
    [1_800, { a: 2 }],
  );
  expect(told).toEqual([
    { ...nothing, joined: ['a'] },
    nothing,
    nothing,
    nothing,
    nothing,
    { ...nothing, died: ['a'] },
    nothing,
  ]);
});

test('an observer that was blind starts every lease anew', () => {
  const told = polls(
    [0, { a: 1, b: 2 }],
    [400, { a: 1, b: 2 }],
    // The server was away for longer than a lease.
    [5_000, { a: 1, b: 2 }],
    [5_400, { a: 1, b: 9 }],
    [5_800, { a: 1, b: 9 }],
    [6_000, { a: 1, b: 9 }],
  );
  expect(told.slice(1)).toEqual([nothing, nothing, nothing, nothing, { ...nothing, died: ['a'] }]);
});

test('a reading that itself took too long counts from its end, and judges from its start', () => {
  const signs = new Map([['a', { revision: 1, incarnation: 1 }]]);
  const first = observe(NO_LEASES, { startMs: 0, endMs: 300, signs }, TERMS);
  const steps = [600, 900].reduce(
    (state, ms) => observe(state, { startMs: ms, endMs: ms, signs }, TERMS).state,
    first.state,
  );
  const early = observe(steps, { startMs: 1_299, endMs: 1_350, signs }, TERMS);
  expect(early.died).toEqual([]);
  const late = observe(steps, { startMs: 1_300, endMs: 1_350, signs }, TERMS);
  expect(late.died).toEqual(['a']);
});

test('a node that beats again after it was declared dead has joined anew', () => {
  const told = polls([0, { a: 1 }], [500, { a: 1 }], [1_000, { a: 1 }], [1_500, { a: 2 }]);
  expect(told.slice(2)).toEqual([
    { ...nothing, died: ['a'] },
    { ...nothing, joined: ['a'] },
  ]);
});

test('a new life of a node means that the former died', () => {
  const told = polls([0, { a: 1 }], [100, { a: { revision: 2, incarnation: 2 } }]);
  expect(told[1]).toEqual({ joined: ['a'], died: ['a'], left: [] });
});

test('a node whose record is gone has left, and its death is no news', () => {
  const told = polls([0, { a: 1, b: 1 }], [100, { b: 2 }], [200, { a: 7, b: 3 }]);
  expect(told.slice(1)).toEqual([
    { ...nothing, left: ['a'] },
    { ...nothing, joined: ['a'] },
  ]);
});
