/**
 * The order in which vitest takes up test files: first those that start training processes, the longest at the head, so
 * that none of them is left alone at the end. The others follow in vitest's own order.
 */
import { existsSync } from 'node:fs';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const slow = [
  'kernels/webgpu/ops',
  'cli/nodes',
  'kernels/precision',
  'kernels/ops',
  'kernels/webgpu/group',
  'docs/tutorial',
  'cli/parent',
  'cli/refusals/cluster',
  'run/nodes',
  'kernels/rows',
  'actors/huge_numbers',
  'cli/doctor',
  'cli/refusals/disk',
  'cli/train',
  'run/lost_nodes',
  'actors/contract',
  'run/sublayers',
  'actors/training/loss_scale',
  'run/plan',
  'run/plan_traffic',
  'actors/failures',
  'run/threads',
  'cli/failing_nodes',
  'actors/unstable',
  'cli/refusals/device',
  'cli/refusals/checkpoints',
  'examples/custom_block',
  'actors/precision_webgpu',
  'cli/output',
  'runtime/transport/nats_outages',
  'actors/leased_rows',
  'run/train',
  'cli/compile_cache',
  'kernels/webgpu/device',
  'runtime/transport/thread_transport',
  'actors/gradient',
  'kernels/webgpu/epilogue',
  'runtime/cluster/worker_host',
];

function rank({ moduleId }: TestSpecification): number {
  const at = slow.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`));
  return at < 0 ? slow.length : at;
}

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = slow.filter((name) => !existsSync(new URL(`${name}.test.ts`, import.meta.url)));
    if (gone.length > 0) throw new Error(`slowest_first.ts names tests that are gone: ${gone.join(', ')}`);
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
