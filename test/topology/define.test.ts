import { expect, test } from 'vitest';
import { defineTopology, parseTopology, type TopologyInput } from '../../src/topology/index.ts';

test('an object means what the file of the same keys means', () => {
  const sections = { name: 'small', model: { hidden_size: 64 }, cluster: { memory_per_worker: '256MiB' } } as const;
  const file = 'name: small\nmodel: { hidden_size: 64 }\ncluster: { memory_per_worker: 256MiB }\n';
  expect(defineTopology(sections)).toEqual(parseTopology(file, 'small.yaml'));
  expect(defineTopology({})).toEqual(parseTopology('', 'empty.yaml'));
});

test.each<[unknown, string]>([
  [{ training: { steps: 0 } }, 'defineTopology: training.steps: found 0, allowed: a whole number, 1 or more'],
  [{ modle: {} }, 'defineTopology: modle: unknown key; did you mean model?'],
  [{ model: { hidden_size: 0 } }, 'defineTopology: model.hidden_size: '],
])('%j is refused with its key', (sections, line) => {
  expect(() => defineTopology(sections as TopologyInput)).toThrow(line);
});
