/**
 * The probe of GPUs: asks Dawn for an adapter that does not exist, since its refusal lists those that do, then for each
 * of those. What it cannot use it says on standard error.
 */
import { parseAdapters, type ListedAdapter } from '../../kernels/webgpu/adapter_list.ts';
import { answer } from './probe.ts';

// Dawn crashes when what it has made is collected, so nothing of it ever is.
const pinned: unknown[] = [];
Reflect.set(globalThis, 'pinned', pinned);

await answer(async () => {
  const { create } = await import('webgpu');
  const request = async (options: string[]): Promise<GPUAdapter | null> => {
    const gpu = create(options);
    pinned.push(gpu);
    const adapter = await gpu.requestAdapter();
    pinned.push(adapter);
    return adapter;
  };
  const list = async (): Promise<readonly ListedAdapter[]> => {
    try {
      await request(['adapter=none of this name']);
      return [];
    } catch (error) {
      return parseAdapters(error instanceof Error ? error.message : String(error));
    }
  };
  const adapters = [];
  for (const { backend, name } of await list()) {
    const adapter = await request([`backend=${backend}`, `adapter=${name}`]);
    if (adapter === null) continue;
    const { vendor, architecture, isFallbackAdapter } = adapter.info;
    adapters.push({ backend, name, type: isFallbackAdapter ? 'software' : 'gpu', vendor, architecture });
  }
  return { adapters };
});
