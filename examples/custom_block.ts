/**
 * Trains a small mixture-of-experts model whose experts are a network of one's own (`swiglu.ts`), on two node processes
 * joined by a nats-server, from a program. The texts are those of a glob, by default what npm packages say of themselves.
 *
 *     node --conditions=troupe-source examples/custom_block.ts     (in a clone; Node 24)
 *     node custom_block.ts 'texts/*.txt'                             (where troupe is installed)
 */
import { join } from 'node:path';
import { defineTopology, launch, type RunEvent } from 'troupe';

const [glob = 'node_modules/**/*.md'] = process.argv.slice(2);

const topology = defineTopology({
  name: 'swiglu',
  cluster: { nodes: 2 },
  model: {
    hidden_size: 64,
    intermediate_size: 128,
    num_attention_heads: 2,
    sublayers: join(import.meta.dirname, 'swiglu.ts'),
  },
  moe: { num_experts: 4 },
  parallelism: { data_parallel: 2, expert_parallel: 2 },
  training: { steps: 40, global_batch_size: 8, sequence_length: 64, eval_interval: 20, eval_sequences: 16 },
  optimizer: { lr: 0.01, min_lr: 0.001, warmup_steps: 5 },
  data: { blend: [{ name: 'texts', glob }] },
});

function show(event: RunEvent): void {
  if (event.kind === 'ready') console.log(`${event.parameters} parameters on ${event.workers} workers`);
  if (event.kind === 'step' && event.metrics.step % 10 === 0) {
    console.log(`step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`);
  }
}

// Ctrl-C ends the run after a checkpoint.
const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());

const { evalLoss, runDir } = await launch(topology, { signal: interrupt.signal, observe: show });
console.log(`held-out loss ${evalLoss?.toFixed(3)}; the run is in ${runDir}`);
