/** The schema that editors read. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { topologyJsonSchema } from '../../src/topology/json_schema.ts';

const configs = new URL('../../configs/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, configs), 'utf8');
const schema = z.fromJSONSchema(JSON.parse(topologyJsonSchema()) as Parameters<typeof z.fromJSONSchema>[0]);
const accepts = (value: unknown): boolean => schema.safeParse(value).success;

test('configs/topology.schema.json is what the schema says; run `node src/topology/json_schema.ts` after changing it', () => {
  expect(read('topology.schema.json')).toBe(topologyJsonSchema());
});

test.each(['quickstart.yaml', 'quickstart-dense.yaml'])('%s names the schema and is valid by it', (name) => {
  expect(read(name).split('\n')[0]).toBe('# yaml-language-server: $schema=topology.schema.json');
  expect(accepts(parse(read(name)))).toBe(true);
});

test.each([
  ['an empty file', {}, true],
  ['a size with its unit', { cluster: { memory_per_worker: '2GiB' } }, true],
  ['an unknown key', { model: { hiden_size: 128 } }, false],
  ['a word for a number', { training: { steps: 'many' } }, false],
  ['a device by name', { cluster: { device: 'webgpu:NVIDIA H100' } }, true],
  ['a device for each node', { cluster: { device: [['webgpu:0', 'webgpu:1'], 'cpu'] } }, true],
  ['a list of no devices', { cluster: { device: [] } }, false],
  ['a device that is none', { cluster: { device: 'tpu' } }, false],
  ['a value of a later version', { model: { architecture: 'switch_t5' } }, false],
])('%s', (_what, value, isValid) => {
  expect(accepts(value)).toBe(isValid);
});
