/** The topology file that `troupe init` writes: small enough for a laptop, with what one changes first explained. */
import { stringify } from 'yaml';

export interface StarterOptions {
  readonly name: string;
  /** Relative to the file. */
  readonly glob: string;
  /** Where an editor finds the schema, as seen from the file; null leaves the line out. */
  readonly schema: string | null;
}

/** The file's text. */
export function starter({ name, glob, schema }: StarterOptions): string {
  const schemaLine = schema === null ? '' : `# yaml-language-server: $schema=${schema}\n`;
  return `${schemaLine}# A run of Troupe. Check it with \`troupe launch FILE --dry-run\`, start it with \`troupe launch FILE\`.
# Keys that are left out have defaults; any key can be set for one run: --set training.steps=50
name: ${stringify(name).trim()}

# The texts to train on. Several corpora can be blended: each has a name, a glob relative to this file, and a weight.
data:
  tokenizer: bytes # Each byte is a token. For another one: hf:path/to/tokenizer.json
  blend:
    - name: texts
      glob: ${JSON.stringify(glob)}
      weight: 1

# Where it runs. The curve is the same, to the last bit, on any number of nodes and workers.
cluster:
  nodes: 1 # Processes. With 2 or more, a nats-server joins them.
  workers_per_node: 1 # Threads of each; at most as many as the machine has cores.

# A Switch Transformer: in every second layer, each token visits one of the experts. For a dense model set
# \`architecture: transformer\` and delete \`moe\`.
model:
  architecture: switch
  hidden_size: 128
  num_hidden_layers: 4
  num_attention_heads: 4
  intermediate_size: 512
  max_position_embeddings: 256

moe:
  num_experts: 8
  capacity_factor: 1.25 # Room of an expert, as a multiple of its fair share; tokens beyond it skip the layer.

# How the model is cut into actors. This does change the rounding, so choose it once for a run: for W workers in all,
# \`data_parallel: W\` and \`expert_parallel: W\`.
parallelism:
  data_parallel: 2
  expert_parallel: 2

training:
  steps: 250
  global_batch_size: 16 # Sequences a step.
  sequence_length: 256 # Tokens each.
  eval_interval: 100 # Steps between evaluations on held-out text.

optimizer:
  lr: 2.0e-3
  min_lr: 2.0e-4
  warmup_steps: 20

checkpoint:
  interval: 100 # Steps. An interrupted run goes on from the last one: troupe launch --resume DIR
`;
}
