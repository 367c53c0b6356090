/** Which device each worker of a cluster is to have. */
import { expect, test } from 'vitest';
import { deviceOf, devicesOf } from '../../src/topology/index.ts';

test('one word is for every worker, those of nodes that nobody counted on among them', () => {
  expect([deviceOf({ device: 'cpu' }, 0, 0), deviceOf({ device: 'cpu' }, 7, 3)]).toEqual(['cpu', 'cpu']);
});

test('a list has an entry for each node, and one of a node for each of its workers', () => {
  const device = [['webgpu:0', 'webgpu:1'], 'cpu'];
  expect(devicesOf({ device, workers_per_node: 2 }, 0)).toEqual(['webgpu:0', 'webgpu:1']);
  expect(devicesOf({ device, workers_per_node: 2 }, 1)).toEqual(['cpu', 'cpu']);
});

test('what a list does not reach is the processor', () => {
  expect(devicesOf({ device: ['cpu', ['webgpu']], workers_per_node: 2 }, 2)).toEqual(['cpu', 'cpu']);
  expect(deviceOf({ device: ['cpu', ['webgpu']] }, 1, 1)).toBe('cpu');
});
