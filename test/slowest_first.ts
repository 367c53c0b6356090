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
  'actors/nodes',
  'actors/mixed_devices',
  'kernels/webgpu/ops',
  'docs/tutorial',
  'cli/refusals/cluster',
  'runtime/transport/nats_control_faults',
  'actors/contract',
  'actors/webgpu_step',
  'cli/parent',
  'cli/refusals/cluster_name',
  'package/tarball',
  'cli/refusals/disk',
  'actors/threads',
  'cli/refusals/command_line',
  'cli/refusals/checkpoints',
  'docs/programs',
  'actors/sublayers',
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
