/** A run whose nodes compute on different devices: the processor, and the machine's first adapter of WebGPU. */
import { afterAll, expect, it, vi } from 'vitest';
import { bitsOf, devicesOf, eventsOf, RunFolder } from './run_kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds. Nodes inherit it.
process.env.GALLIVM_PERF ??= 'nopt';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const settings = {
  'training.steps': 2,
  'training.eval_interval': 0,
  'checkpoint.interval': 2,
  'optimizer.warmup_steps': 0,
};
const onNodes = { ...settings, 'cluster.nats.url': 'auto', 'cluster.nodes': 2, 'cluster.device': ['cpu', 'webgpu:0'] };

const lossesOf = (curve: readonly object[]): number[] =>
  curve.map((line) => ('loss' in line && typeof line.loss === 'number' ? line.loss : NaN));

it('trains as on the processor alone, on nodes or on threads, and goes on only where each role has the device that it had', async () => {
  const shown = vi.spyOn(process.stderr, 'write');
  const mixed = await folder.play(onNodes);
  // What Dawn says of its limits, whenever it is asked for an adapter, is not passed on.
  expect(shown.mock.calls.filter(([text]) => String(text).includes('artificially reduced'))).toEqual([]);
  shown.mockRestore();
  expect(mixed.outcome.status).toBe('done');
  expect(devicesOf(mixed.runDir)).toMatchObject([
    { node: 'node-0', worker: 'node-0.worker-0', device: 'cpu', adapter: null, reason: 'cluster.device is cpu' },
    { node: 'node-1', worker: 'node-1.worker-0', device: 'webgpu', reason: 'cluster.device is webgpu:0' },
  ]);

  // Each was asked; a driver that computes on the processor has timed nothing either.
  expect(eventsOf(mixed.runDir, 'tuned').filter(({ worker }) => worker !== 'node-1.worker-0')).toEqual([]);

  const said = mixed.events.flatMap((event) => (event.kind === 'notice' ? [event.text] : []));
  expect(said.filter((text) => text.startsWith('device: '))).toEqual([
    'device: cpu (cluster.device is cpu)',
    expect.stringMatching(/^device: .+ \(cluster.device is webgpu:0\)$/),
  ]);

  const threads = { 'cluster.workers_per_node': 2, 'cluster.device': [['cpu', 'webgpu:0']] };
  expect(bitsOf(await folder.play({ ...settings, ...threads }))).toEqual(bitsOf(mixed));

  const alone = await folder.play({ ...settings, 'cluster.device': 'cpu' });
  const [losses, expected] = [lossesOf(mixed.curve), lossesOf(alone.curve)];
  expect(losses).toHaveLength(2);
  expect(Math.abs(losses[0] / expected[0] - 1)).toBeLessThan(1e-5);
  expect(losses[1]).toBeLessThan(losses[0]);

  const onward = { ...settings, 'training.steps': 3, 'cluster.device': 'cpu' };
  await expect(folder.play(onward, { resume: mixed.runDir })).rejects.toThrow(
    /it was made on 1 x cpu\/.+, 1 x webgpu\/.+, this is cpu\/.+, which rounds otherwise/,
  );
  const further = await folder.play({ ...onNodes, 'training.steps': 3 }, { resume: mixed.runDir });
  expect(further.curve).toHaveLength(3);
}, 180_000);
