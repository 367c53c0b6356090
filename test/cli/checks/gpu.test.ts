/** What the doctor says of GPUs; the words of Dawn are those that it was seen to write. */
import { expect, test } from 'vitest';
import { parseAdapters } from '../../../src/kernels/webgpu/adapter_list.ts';
import { askGpus, checkGpu, judgeGpu, withFailure } from '../../../src/cli/checks/gpu.ts';
import type { GpuAnswer } from '../../../src/cli/checks/gpu_answer.ts';
import type { Answer } from '../../../src/cli/checks/probe.ts';
import { fast, plain, slow } from './gpu_adapters.ts';

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

test('each adapter is listed with its number, its backend and what makes it fast', () => {
  expect(judgeGpu(answered([slow, fast, plain]), 'linux')).toEqual({
    check: 'gpu',
    mark: 'ok',
    found: '0: Fast 1 (vulkan, f16, subgroup matrices); 1: Plain 2 (vulkan); 2: llvmpipe (vulkan, software)',
    mend: null,
    facts: { adapters: [slow, fast, plain] },
  });
});

test('what was measured is said in a unit that reads', () => {
  const rated = (gflops: number, copy: number) => ({ ...fast, rates: { gflops, copy_gb_per_s: copy } });
  const found = (gflops: number, copy: number) => judgeGpu(answered([rated(gflops, copy)]), 'linux').found;
  expect(found(31_400, 2140)).toBe('0: Fast 1 (vulkan, f16, subgroup matrices), 31 TFLOP/s, 2.1 TB/s copy');
  expect(found(940.2, 87.6)).toBe('0: Fast 1 (vulkan, f16, subgroup matrices), 940 GFLOP/s, 88 GB/s copy');
  expect(found(3.14, 9.51)).toBe('0: Fast 1 (vulkan, f16, subgroup matrices), 3.1 GFLOP/s, 9.5 GB/s copy');
});

test('an adapter that can be opened and computes nothing is a warning with how to get a driver', () => {
  const finding = judgeGpu(withFailure(answered([fast]), 'it crashed (SIGSEGV)'), 'linux');
  expect(finding).toMatchObject({
    mark: 'warn',
    found: '0: Fast 1 (vulkan, f16, subgroup matrices), which computes nothing: it crashed (SIGSEGV)',
    facts: { adapters: [{ rates: null, failure: 'it crashed (SIGSEGV)' }] },
  });
  expect(finding.mend).toContain('apt-get install');
  const failed = { kind: 'failed', reason: 'it hung', noise: '' } as const;
  expect(withFailure(failed, 'it crashed (SIGSEGV)')).toBe(failed);
});

test('an adapter that computes on the processor is no GPU, and said to be used where it is named', () => {
  expect(judgeGpu(answered([{ ...slow, index: 0 }]), 'linux')).toMatchObject({
    mark: 'ok',
    found: 'none; 0: llvmpipe (vulkan, software); it is used only where it is named; not required',
    mend: null,
  });
  expect(judgeGpu(answered([{ ...slow, index: 0 }, slow]), 'linux').found).toBe(
    'none; 0: llvmpipe (vulkan, software); 2: llvmpipe (vulkan, software); they are used only where they are named; not required',
  );
});

test('limits that Dawn reduces are no refusal of a driver', () => {
  const reduced =
    'Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit dynamic offset ' +
    'allocation limit.\n';
  expect(judgeGpu(answered([], reduced), 'linux').found).toBe('none; not required');
  expect(judgeGpu(answered([], reduced + oldDriver), 'linux').found).toMatch(/ArrayDynamicIndexing required\)/);
});

test('this machine answers with all of it, and is measured only by the check', { tags: ['webgpu'] }, async () => {
  const answer = await askGpus();
  expect(answer.kind === 'answered' ? answer.value.adapters : answer.reason).not.toEqual([]);
  const driver = expect.stringMatching(/\w/) as unknown;
  expect(judgeGpu(answer, process.platform)).toMatchObject({
    mark: 'ok',
    facts: { adapters: [{ index: 0, driver, rates: null, failure: null }] },
  });
  const rate = expect.toSatisfy((value) => value > 0) as unknown;
  expect(await checkGpu()).toMatchObject({
    mark: 'ok',
    found: expect.stringMatching(/FLOP\/s, .* copy/) as unknown,
    facts: { adapters: [{ index: 0, rates: { gflops: rate, copy_gb_per_s: rate }, failure: null }] },
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
