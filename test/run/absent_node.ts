/** A node for tests that lives and never registers. */
import { enterNode } from '../../src/runtime/cluster/index.ts';

await enterNode(() => Promise.resolve(() => Promise.resolve()));
