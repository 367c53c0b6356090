// Sees to it that WebGPU has an adapter, for the tests; says nothing where there is one.
import module from 'node:module';
import { runOnOwnNode } from './own_node.js';

module.enableCompileCache?.();
await runOnOwnNode('cli/provide_vulkan');
