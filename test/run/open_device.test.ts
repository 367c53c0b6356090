/** Which device `cluster.device` comes to, on a machine without an adapter: this process is shown no driver. */
import { expect, test } from 'vitest';
import { chosenDevice } from '../../src/run/chosen_device.ts';
import { openDevice } from '../../src/run/open_device.ts';

// Read when Vulkan is first loaded.
for (const key of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) process.env[key] = '/none';

const options = { bytes: 2 ** 20, onLost: () => undefined };

test('cpu is the processor, and no adapter is looked for', async () => {
  const { device, ...facts } = await openDevice('cpu', options);
  expect({ kind: device.kind, ...facts }).toEqual({ kind: 'cpu', adapter: null, reason: 'cluster.device is cpu' });
  // Dawn's module puts that there.
  expect('pinnedByDawn' in globalThis).toBe(false);
  await device.close();
});

test.skipIf(process.platform === 'darwin')('auto is the processor where there is no adapter, and says so', async () => {
  const { device, ...facts } = await openDevice('auto', options);
  expect({ kind: device.kind, ...facts }).toEqual({
    kind: 'cpu',
    adapter: null,
    reason: 'cluster.device is auto, and there is no GPU',
  });
  await device.close();
});

test.skipIf(process.platform === 'darwin').each([
  ['webgpu', 'webgpu: no GPU; there is none; install its driver, see troupe doctor, or set device: cpu'],
  ['webgpu:Any', "webgpu: no adapter 'Any'; there is none; install its driver, see troupe doctor, or set device: cpu"],
  ['webgpu: 0 ', "webgpu: no adapter '0'; there is none; install its driver, see troupe doctor, or set device: cpu"],
])('%s is refused where there is no adapter', async (choice, message) => {
  await expect(openDevice(choice, options)).rejects.toMatchObject({ tag: 'NoAdapter', exitCode: 1, message });
});

test('what the schema would have refused is a bug', async () => {
  await expect(openDevice('tpu', options)).rejects.toThrow(TypeError);
});

test('what was chosen is measured once, with the class that runs are bound to', async () => {
  const chosen = chosenDevice('cpu');
  expect(chosenDevice('cpu')).toBe(chosen);
  expect(await chosen).toEqual({
    choice: 'cpu',
    numerics: {
      device: expect.stringMatching(/^cpu\//) as unknown,
      classHash: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    },
    facts: { device: 'cpu', adapter: null, reason: 'cluster.device is cpu' },
  });
});

test.skipIf(process.platform === 'darwin')(
  'a worker is to open what was chosen, and not to look for itself',
  async () => {
    expect(await chosenDevice('auto')).toMatchObject({ choice: 'cpu', facts: { device: 'cpu', adapter: null } });
  },
);
