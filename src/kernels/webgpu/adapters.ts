/**
 * The adapters of this machine: GPUs, and drivers that compute on the processor. One is chosen by its number in the list,
 * or by a part of its name; unless one is named, a driver that computes on the processor is nobody's choice.
 */
import { parseAdapters, type ListedAdapter } from './adapter_list.ts';
import { openGpu, pin } from './dawn.ts';
import { DawnMissing, NoAdapter } from './errors.ts';

export type { ListedAdapter } from './adapter_list.ts';

export interface OpenAdapter extends ListedAdapter {
  readonly adapter: GPUAdapter;
  /** It computes on the processor: right, and slow. */
  readonly isSoftware: boolean;
}

/** Toggles that devices need: subgroup matrices are experimental, and NVIDIA's f16 is behind a switch. */
const needed = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness';

/** In Dawn's order, which is the order of the numbers. Empty where there is none. Throws `DawnMissing`. */
export async function listAdapters(): Promise<readonly ListedAdapter[]> {
  try {
    const gpu = await openGpu(['adapter=none of this name']);
    pin(await gpu.requestAdapter());
    return [];
  } catch (error) {
    if (error instanceof DawnMissing) throw error;
    return parseAdapters(error instanceof Error ? error.message : String(error));
  }
}

/** Null where it is listed and cannot be used: its driver is too old. */
export async function openListed({ backend, name }: ListedAdapter): Promise<OpenAdapter | null> {
  const gpu = await openGpu([`backend=${backend}`, `adapter=${name}`, needed]);
  const adapter = pin(await gpu.requestAdapter({ powerPreference: 'high-performance' }));
  return adapter === null ? null : { backend, name, adapter, isSoftware: adapter.info.isFallbackAdapter };
}

/** An adapter that takes shaders and runs none: with every feature, so that it can say whether a shader is one. */
export async function openNull(): Promise<OpenAdapter> {
  const open = await openListed({ backend: 'null', name: '' });
  if (open === null) throw new NoAdapter('null', []);
  return open;
}

/**
 * The adapter that `wanted` names, by number or by a part of its name; '' is the first GPU. Throws `DawnMissing`, or
 * `NoAdapter`, which says what there is.
 */
export async function openAdapter(wanted: string): Promise<OpenAdapter> {
  const listed = await listAdapters();
  for (const candidate of listed.filter((each, i) => isNamed(each, i, wanted))) {
    const open = await openListed(candidate);
    if (open !== null && (wanted !== '' || !open.isSoftware)) return open;
  }
  throw new NoAdapter(wanted, listed);
}

function isNamed({ name }: ListedAdapter, at: number, wanted: string): boolean {
  return /^\d+$/.test(wanted) ? at === Number(wanted) : name.toLowerCase().includes(wanted.toLowerCase());
}
