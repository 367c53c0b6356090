/** A platform on which the library of WebGPU cannot be loaded: no GPU to `auto`, and one line where one is named. */
import { expect, test, vi } from 'vitest';
import { openDevice } from '../../src/run/open_device.ts';

vi.mock('webgpu', () => {
  throw new Error("Cannot find module 'dawn.node'");
});

const options = { bytes: 2 ** 20, onLost: () => undefined };
const why = String.raw`the library of WebGPU cannot be loaded on \w+-\w+ \([^\n]+\)`;

test('auto is the processor, and says why', async () => {
  const { device, ...facts } = await openDevice('auto', options);
  await device.close();
  const reason = expect.stringMatching(new RegExp(`^cluster.device is auto, and ${why}$`)) as unknown;
  expect({ kind: device.kind, ...facts }).toEqual({ kind: 'cpu', adapter: null, reason });
});

test.each(['webgpu', 'webgpu:0'])('%s is refused', async (choice) => {
  await expect(openDevice(choice, options)).rejects.toMatchObject({
    tag: 'DawnMissing',
    exitCode: 1,
    message: expect.stringMatching(new RegExp(`^webgpu: ${why}; install again, or set device: cpu$`)) as unknown,
  });
});
