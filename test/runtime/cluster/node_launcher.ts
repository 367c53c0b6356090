/** A launcher for tests: starts a node, says its pid, and lives until it is killed. */
import { NodeProcess } from '../../../src/runtime/cluster/index.ts';

const node = new NodeProcess({
  name: 'node-1',
  entry: new URL('./node_stub.ts', import.meta.url),
  data: 'live',
  onDied: (error) => {
    throw error;
  },
  onLine: () => process.send?.(node.pid),
});
setInterval(() => undefined, 1_000_000);
