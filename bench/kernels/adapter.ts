/** The adapter that a benchmark runs on: the one that is named, else the first GPU, else a driver that computes on the processor. */
import { listAdapters, openAdapter, openListed, type OpenAdapter } from '../../src/kernels/webgpu/adapters.ts';
import { NoAdapter } from '../../src/kernels/webgpu/errors.ts';

/** `choice` as `cluster.device` has it (`webgpu:1`); undefined where none is named. Throws `NoAdapter`. */
export async function benchAdapter(choice: string | undefined): Promise<OpenAdapter> {
  const [kind, ...wanted] = choice?.split(':') ?? [];
  if (kind !== undefined && kind !== 'webgpu') throw new NoAdapter(choice!, await listAdapters());
  if (wanted.length > 0) return await openAdapter(wanted.join(':').trim());
  const listed = await listAdapters();
  let software: OpenAdapter | null = null;
  for (const each of listed) {
    const opened = await openListed(each);
    if (opened?.isSoftware === false) return opened;
    software ??= opened;
  }
  if (software === null) throw new NoAdapter('', listed);
  return software;
}

/** What a reader has to know of it, in one line. */
export function describeAdapter({ name, backend, isSoftware, adapter }: OpenAdapter): string {
  const { description } = adapter.info;
  const has = (feature: GPUFeatureName | 'chromium-experimental-subgroup-matrix', word: string): string =>
    adapter.features.has(feature) ? `, ${word}` : '';
  const traits = `${has('shader-f16', 'f16')}${has('subgroups', 'subgroups')}`;
  const units = has('chromium-experimental-subgroup-matrix', 'subgroup matrices');
  return `${name} (${backend}${isSoftware ? ', software' : ''}${traits}${units}), driver ${description}`;
}
