/**
 * The order in which vitest takes up test files: first those that start training processes, the longest at the head, so
 * that none of them is left alone at the end. The others follow in vitest's own order.
 */
import { existsSync } from 'node:fs';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const slow = [
  'actors/broken_network',
  'cli/nodes',
  'docs/commands',
  'actors/cut_checkpoint',
  'actors/nodes',
  'package/tarball',
  'actors/mixed_devices',
  'cli/parent',
  'docs/tutorial',
  'cli/refusals/disk',
  'cli/train',
  'cli/refusals/cluster',
  'cli/refusals/cluster_name',
  'runtime/transport/nats_control_faults',
  'actors/precision',
  'actors/plan',
  'cli/refusals/checkpoints',
  'cli/refusals/command_line',
  'actors/threads',
  'actors/contract',
  'actors/gradient',
  'actors/failures',
  'actors/dying_nodes',
  'actors/sublayers',
  'cli/failing_nodes',
  'cli/unread_output',
  'cli/refusals/config',
  'docs/programs',
  'examples/custom_block',
  'kernels/webgpu/ops',
  'actors/webgpu_step',
  'actors/loss_scale',
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
