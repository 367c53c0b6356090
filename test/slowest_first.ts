/**
 * The order in which vitest takes up test files: first those that start training processes, the longest at the head, so
 * that none of them is left alone at the end. The others follow in vitest's own order.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const slow = [
  'actors/broken_network',
  'cli/nodes',
  'actors/nodes',
  'cli/cluster_refusals',
  'cli/train',
  'cli/parent',
  'package/tarball',
  'runtime/transport/nats_control_faults',
  'actors/dying_nodes',
  'cli/failing_nodes',
  'actors/contract',
  'actors/threads',
  'cli/init',
  'cli/command',
];

function rank({ moduleId }: TestSpecification): number {
  const at = slow.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`));
  return at < 0 ? slow.length : at;
}

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
