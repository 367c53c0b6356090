/**
 * Where a run lives: nodes, workers, the device of each and its memory. It decides where ranks live and never what
 * they compute; the mesh is in `parallelism`.
 */
import { z } from 'zod';
import { byteSize, choice, onlyOne, whole } from './kinds.ts';

const oneProcess = 'this version runs in one process; nodes arrive later';

export const natsSchema = z.strictObject({
  url: choice(['auto'])
    .meta({ later: 'this version needs no NATS server; addresses arrive with nodes' })
    .default('auto')
    .describe('Address of the NATS server; `auto` starts one when the run has more than one node.'),
});

export const clusterSchema = z.strictObject({
  nodes: onlyOne(oneProcess).default(1).describe('Processes started by the launcher.'),
  workers_per_node: whole(1)
    .default(1)
    .describe('Worker threads a node, each with a device of its own; 1 works in the main thread.'),
  device: choice(['auto', 'cpu'], ['webgpu']).default('auto').describe('Compute device of each worker.'),
  memory_per_worker: byteSize()
    .default(2 * 2 ** 30)
    .describe('Bytes of a worker that slices may take in total: parameters, gradients, moments and scratch.'),
  nats: natsSchema.prefault({}).describe('The message server between nodes.'),
});
