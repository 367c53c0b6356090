/** What the doctor says of GPUs; the words of Dawn are those that it was seen to write. */
import { expect, test } from 'vitest';
import { parseAdapters } from '../../../src/kernels/webgpu/adapter_list.ts';
import { judgeGpu, type GpuAnswer } from '../../../src/cli/checks/gpu.ts';
import type { Answer } from '../../../src/cli/checks/probe.ts';

const answered = (adapters: GpuAnswer['adapters'], noise = ''): Answer<GpuAnswer> => ({
  kind: 'answered',
  value: { adapters },
  noise,
});

const noVulkan = `Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory
    at operator() (BackendVk.cpp:368)
`;
const oldDriver = `Warning: Vulkan shaderUniform*ArrayDynamicIndexing required.
 - While initializing adapter (backend=BackendType::Vulkan)
    at InitializeImpl (PhysicalDeviceVk.cpp:257)
`;

test('the adapters are read from the refusal of one that there is not', () => {
  const refusal = `no suitable backends found
Available adapters:
 * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'
 * backend: 'metal', name: 'Somebody's GPU'
 * backend: 'null', name: 'Null backend'
`;
  expect(parseAdapters(refusal)).toEqual([
    { backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)' },
    { backend: 'metal', name: "Somebody's GPU" },
  ]);
  expect(parseAdapters('no suitable backends found')).toEqual([]);
});

test('each adapter is listed with backend and type', () => {
  const adapters: GpuAnswer['adapters'] = [
    { backend: 'vulkan', name: 'Fast 1', type: 'gpu', vendor: 'fast', architecture: 'one' },
    { backend: 'vulkan', name: 'llvmpipe', type: 'software', vendor: 'mesa', architecture: 'software' },
  ];
  expect(judgeGpu(answered(adapters), 'linux')).toEqual({
    check: 'gpu',
    mark: 'ok',
    found: 'Fast 1 (vulkan, gpu); llvmpipe (vulkan, software)',
    mend: null,
    facts: { adapters },
  });
});

test('none is a warning with how to get a driver', () => {
  const finding = judgeGpu(answered([], noVulkan), 'linux');
  expect(finding).toMatchObject({ mark: 'warn', found: 'none; not required', facts: { adapters: [] } });
  expect(finding.mend).toContain("'apt-get install libvulkan1 mesa-vulkan-drivers'");
});

test('a driver that is too old is named with what it lacks', () => {
  const finding = judgeGpu(answered([], oldDriver), 'linux');
  expect(finding).toMatchObject({
    mark: 'warn',
    found: 'none that can be used (Vulkan shaderUniform*ArrayDynamicIndexing required); not required',
  });
  expect(finding.mend).toContain('bookworm-backports');
});

test('a driver that hangs or crashes is a warning', () => {
  const finding = judgeGpu({ kind: 'failed', reason: 'it crashed (SIGSEGV)', noise: '' }, 'linux');
  expect(finding).toMatchObject({
    mark: 'warn',
    found: 'WebGPU cannot be used: it crashed (SIGSEGV); not required',
  });
});

test.each<NodeJS.Platform>(['darwin', 'win32'])('nobody on %s is sent to apt-get', (platform) => {
  expect(judgeGpu(answered([]), platform).mend).not.toContain('apt-get');
});
