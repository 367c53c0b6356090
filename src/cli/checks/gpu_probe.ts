/**
 * The probe of GPUs: opens each adapter that Dawn lists and says what it is. What it cannot use Dawn says on standard
 * error.
 */
import { listAdapters, openListed, type OpenAdapter } from '../../kernels/webgpu/adapters.ts';
import { features, limits, type GpuAdapter } from './gpu_answer.ts';
import { answer } from './probe.ts';

await answer(async () => {
  const adapters: GpuAdapter[] = [];
  for (const [index, listed] of (await listAdapters()).entries()) {
    const open = await openListed(listed);
    if (open !== null) adapters.push(described(index, open));
  }
  return { adapters };
});

function described(index: number, { backend, name, isSoftware, adapter }: OpenAdapter): GpuAdapter {
  const { vendor, architecture, description } = adapter.info;
  return {
    index,
    backend,
    name,
    type: isSoftware ? 'software' : 'gpu',
    vendor,
    architecture,
    driver: description,
    features: features.filter((feature) => adapter.features.has(feature)),
    subgroup_matrices: matricesOf(adapter.info),
    limits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])),
  };
}

/** Experimental, so that the types of WebGPU do not have it. */
interface WithMatrices extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: Iterable<Record<string, string | number>>;
}

function matricesOf({ subgroupMatrixConfigs = [] }: WithMatrices): GpuAdapter['subgroup_matrices'] {
  return Array.from(subgroupMatrixConfigs, (config) => ({ ...config }));
}
