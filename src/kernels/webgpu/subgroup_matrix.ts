/** Which matrices an adapter multiplies in one go, as far as the product's form can use them. */
import { SUBGROUP_FORM_BYTES, type SubgroupMatrix } from './wgsl/product_subgroup.ts';

/** What Dawn tells of an adapter beyond the standard. */
interface Config {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** f16 matrices of 16 × 16, else of 8 × 8, summed in f32, for subgroups of one size; null where there are none. */
export function subgroupMatrixOf({ info }: GPUAdapter, { features, limits }: GPUDevice): SubgroupMatrix | null {
  if (!features.has('chromium-experimental-subgroup-matrix') || !features.has('shader-f16')) return null;
  if (limits.maxComputeWorkgroupStorageSize < SUBGROUP_FORM_BYTES) return null;
  const { subgroupMinSize, subgroupMaxSize } = info;
  if (subgroupMinSize === undefined || subgroupMinSize !== subgroupMaxSize) return null;
  const { subgroupMatrixConfigs: configs = [] } = info as { readonly subgroupMatrixConfigs?: readonly Config[] };
  const isSquare = (edge: number) => (config: Config) =>
    config.componentType === 'f16' &&
    config.resultComponentType === 'f32' &&
    [config.M, config.N, config.K].every((size) => size === edge);
  for (const edge of [16, 8] as const) if (configs.some(isSquare(edge))) return { edge, lanes: subgroupMinSize };
  return null;
}
