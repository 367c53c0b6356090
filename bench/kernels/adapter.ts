/** The adapter that a benchmark runs on: the one that is named, else the first GPU, else a driver that computes on the processor. */
import { listAdapters, openAdapter, openListed, type OpenAdapter } from '../../src/kernels/webgpu/adapters.ts';
import { NoAdapter } from '../../src/kernels/webgpu/errors.ts';

export interface BenchAdapter {
  readonly opened: OpenAdapter;
  /** As `cluster.device` names it. */
  readonly device: string;
}

/** `choice` as `cluster.device` has it; undefined where none is named. Throws `NoAdapter`. */
export async function benchAdapter(choice: string | undefined): Promise<BenchAdapter> {
  const listed = await listAdapters();
  if (choice !== undefined && choice !== 'webgpu') {
    const [, wanted] = /^webgpu:(.+)$/.exec(choice) ?? [];
    if (wanted === undefined) throw new NoAdapter(choice, listed);
    return { opened: await openAdapter(wanted.trim()), device: choice };
  }
  let software: BenchAdapter | null = null;
  for (const [i, each] of listed.entries()) {
    const opened = await openListed(each);
    if (opened === null) continue;
    const found = { opened, device: `webgpu:${i}` };
    if (!opened.isSoftware) return found;
    software ??= found;
  }
  if (software === null || choice !== undefined) throw new NoAdapter('', listed);
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
