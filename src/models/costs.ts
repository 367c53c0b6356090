/** What a model costs, from its programs and parameters: the same arithmetic for every family. */
import { elements } from '../kernels/shape.ts';
import type { ModelConfig } from './config.ts';
import { layersOf, mixturesOf, type Model, type Weights } from './model.ts';

/** Forward and backward: training costs three times the forward pass. */
export const TRAINING_PASSES = 3;

/** Parameters by part; `active` are those that one token passes through. */
export interface ParameterCount {
  readonly embedding: number;
  /** What mixes the tokens of a sequence: attention, or what stands in its place. */
  readonly mixers: number;
  readonly denseFfn: number;
  readonly router: number;
  readonly experts: number;
  readonly norms: number;
  readonly head: number;
  readonly total: number;
  readonly active: number;
}

type Part = Exclude<keyof ParameterCount, 'total' | 'active' | 'router' | 'experts'>;

/** What a weight of a block belongs to, by how its name in the program begins. */
const parts: readonly (readonly [prefix: string, part: Part])[] = [
  ['table', 'embedding'],
  ['mixer', 'mixers'],
  ['ffn', 'denseFfn'],
  ['norm', 'norms'],
  ['head', 'head'],
];

/** Counts parameters, each once, wherever it is used. */
export function countParameters(model: Model, { moe }: Pick<ModelConfig, 'moe'>): ParameterCount {
  const counts = { embedding: 0, mixers: 0, denseFfn: 0, router: 0, experts: 0, norms: 0, head: 0 };
  const known = new Set<string>();
  for (const step of layersOf(model).flatMap(({ steps }) => steps)) {
    if (step.kind !== 'run') continue;
    for (const [input, { name, shape }] of Object.entries(step.weights)) {
      const [, part] = parts.find(([prefix]) => input.startsWith(prefix)) ?? ['', 'mixers' as const];
      if (!known.has(name)) counts[part] += elements(shape);
      known.add(name);
    }
  }
  let idle = 0;
  for (const { router, expert } of mixturesOf(model)) {
    const each = sizeOf(expert(0));
    const { num_experts = 0, top_k = 0 } = moe ?? {};
    counts.router += sizeOf(router);
    counts.experts += num_experts * each;
    idle += (num_experts - top_k) * each;
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { ...counts, total, active: total - idle };
}

const sizeOf = (weights: Weights): number =>
  Object.values(weights).reduce((sum, { shape }) => sum + elements(shape), 0);
