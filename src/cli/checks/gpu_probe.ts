/**
 * The probe of GPUs: opens each adapter that Dawn lists and says what it is, and with the argument `measure` how fast. What
 * it cannot use Dawn says on standard error.
 */
import { listAdapters, openListed, type OpenAdapter } from '../../kernels/webgpu/adapters.ts';
import { features, limits, type GpuAdapter } from './gpu_answer.ts';
import { ratesOf } from './gpu_rates.ts';
import { answer } from './probe.ts';

await answer(async () => {
  const adapters: GpuAdapter[] = [];
  for (const [index, listed] of (await listAdapters()).entries()) {
    const open = await openListed(listed);
    if (open === null) continue;
    const measured = process.argv[2] === 'measure' ? await measure(open) : { rates: null, failure: null };
    adapters.push({ ...described(index, open), ...measured });
  }
  return { adapters };
});

async function measure(open: OpenAdapter): Promise<Pick<GpuAdapter, 'rates' | 'failure'>> {
  try {
    return { rates: await ratesOf(open), failure: null };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { rates: null, failure: failure.replaceAll(/\s+/g, ' ') };
  }
}

function described(
  index: number,
  { backend, name, isSoftware, adapter }: OpenAdapter,
): Omit<GpuAdapter, 'rates' | 'failure'> {
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
