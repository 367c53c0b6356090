/**
 * Where a run lives: nodes, workers, the device of each and its memory. It decides where ranks live and never what
 * they compute; the mesh is in `parallelism`.
 */
import { z } from 'zod';
import { byteSize, longestTimerMs, whole } from './kinds.ts';

/** Where a nats-server may be: started here, not at all, or somewhere else. */
const natsUrl = /^(auto|none|(nats|tls):\/\/[^\s@/]+)$/;

/** The same bits on every machine. */
export const DEFAULT_DEVICE = 'cpu';

/** A device, or which of the adapters that `troupe doctor` lists. */
const device = z.string().regex(/^(auto|cpu|webgpu(:.*\S.*)?)$/);

export const natsSchema = z.strictObject({
  url: z
    .string()
    .regex(natsUrl)
    .meta({
      allowed:
        'auto, none, or an address such as nats://10.0.0.7:4222 or tls://nats.example:4222, without a token in it',
    })
    .default('auto')
    .describe(
      'The NATS server: `auto` starts one on this machine, `none` runs in one process, or the address of one that runs: `nats://` is plain text, `tls://` is TLS.',
    ),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('Port of loopback for the server that is started here; any free one if left out.'),
  token_file: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File with the token of the server at `url`, readable by its owner only; else TROUPE_NATS_TOKEN of the environment.',
    ),
});

export const restartSchema = z.strictObject({
  intensity: whole(0)
    .default(5)
    .describe(
      'Times that a node whose process ended is started again within `period`; after that its roles go to others.',
    ),
  period: whole(1, { most: Math.floor(longestTimerMs / 1000), because: 'no timer of Node.js runs longer' })
    .default(600)
    .describe('Seconds in which restarts are counted.'),
  back_off: z
    .number()
    .min(0)
    .max(60)
    .default(0)
    .describe('Seconds before the first restart of a period; each further one waits twice as long, at most 60.'),
});

export const clusterSchema = z.strictObject({
  nodes: whole(1, { most: 8192, because: 'each is a process of the machine that launches' })
    .default(1)
    .describe('Processes started by the launcher.'),
  workers_per_node: whole(1, { most: 1024, because: 'each is a thread of its node' })
    .default(1)
    .describe('Worker threads a node, each with a device of its own.'),
  device: z
    .union([device, z.array(z.union([device, z.array(device).min(1)])).min(1)])
    .meta({
      allowed:
        'auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    })
    .default(DEFAULT_DEVICE)
    .describe(
      'Compute device of each worker: `cpu`; `webgpu`, the first GPU; `webgpu:1` or `webgpu:NVIDIA`, as `troupe doctor` lists them; `auto`, the first GPU where there is one, else the processor. `[webgpu:0, cpu]` is one for each node, `[[webgpu:0, webgpu:1], cpu]` one for each worker of the first node.',
    ),
  memory_per_worker: byteSize()
    .default(2 * 2 ** 30)
    .describe(
      'Bytes of a worker that slices may take in total: parameters, gradients, moments and scratch. A worker on `cpu` addresses 4 GiB and takes no more, however much it is given.',
    ),
  nats: natsSchema.prefault({}).describe('The message server between nodes.'),
  restart: restartSchema.prefault({}).describe('What is done about nodes whose process ended.'),
  wait: whole(1, { most: Math.floor(longestTimerMs / 1000), because: 'no timer of Node.js runs longer' })
    .default(120)
    .describe('Seconds that a run waits for its nodes to register before it gives up.'),
});
