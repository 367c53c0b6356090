// Sees to it that there is a nats-server; says nothing where there is one, and asks before it changes anything.
import module from 'node:module';
import { runOnOwnNode } from './own_node.js';

// Nearly all of its time is loading what finds the program; from the second time on the cache more than halves that.
module.enableCompileCache?.();
await runOnOwnNode('cli/provide_nats');
