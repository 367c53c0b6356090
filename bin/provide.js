// Sees to it that the tests have what npm does not bring; says nothing where all of it is there.
import module from 'node:module';
import { runOnOwnNode } from './own_node.js';

module.enableCompileCache?.();
await runOnOwnNode('cli/provide');
