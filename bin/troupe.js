#!/usr/bin/env node
// The `troupe` command.
import { runOnOwnNode } from './own_node.js';

await runOnOwnNode('cli/main');
