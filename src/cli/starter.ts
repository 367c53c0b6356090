/** The topology file that `troupe init` writes: small enough for a laptop, with what one changes first explained. */
import { stringify } from 'yaml';
import type { DataKind } from './kind_of_data.ts';

export interface StarterOptions {
  readonly name: string;
  /** Relative to the file. */
  readonly glob: string;
  readonly kind: DataKind;
  /** Where an editor finds the schema, as seen from the file; null leaves the line out. */
  readonly schema: string | null;
}

/** The file's text. */
export function starter({ name, glob, kind, schema }: StarterOptions): string {
  const schemaLine = schema === null ? '' : `# yaml-language-server: $schema=${schema}\n`;
  const { beginning, data, length, lr } = sections[kind];
  return `${schemaLine}# A run of Troupe. Check it with \`troupe launch FILE --dry-run\`, start it with \`troupe launch FILE\`.
# Keys that are left out have defaults; any key can be set for one run: --set training.steps=50
name: ${stringify(name).trim()}
${beginning}
${data(JSON.stringify(glob))}

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
  max_position_embeddings: ${length}

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
  sequence_length: ${length} # Tokens each.
  eval_interval: 100 # Steps between evaluations on held-out ${kind === 'files' || kind === 'text' ? 'text' : 'rows'}.

optimizer:
  lr: 2.0e-3${lr}
  min_lr: 2.0e-4
  warmup_steps: 20

checkpoint:
  interval: 100 # Steps. An interrupted run goes on from the last one: troupe launch --resume DIR
`;
}

interface KindSections {
  /** Between the name and the data. */
  readonly beginning: string;
  /** With the glob, quoted. */
  readonly data: (glob: string) => string;
  /** Tokens of a sequence. */
  readonly length: number;
  /** Behind the learning rate. */
  readonly lr: string;
}

const from = `
# The model to begin with, in place of random values: a run directory or a checkpoint, relative to this file. \`model\` and
# \`moe\` must have the sizes of that run.
# from: runs/base
`;

const texts =
  (entry: string) =>
  (
    glob: string,
  ) => `# The texts to train on. Several corpora can be blended: each has a name, a glob relative to this file, and a weight.
data:
  tokenizer: bytes # Each byte is a token. For another one: hf:path/to/tokenizer.json
  blend:
    - name: texts
      glob: ${glob}${entry}
      weight: 1`;

const tokenizer =
  'tokenizer: bytes # Each byte is a token. For another one, with its chat template: hf:path/to/tokenizer.json';

const ofRows = { length: 512, lr: ' # Where it begins with another model, a tenth of it is enough.' } as const;

const sections: Readonly<Record<DataKind, KindSections>> = {
  files: { beginning: '', data: texts(''), length: 256, lr: '' },
  text: {
    beginning: '',
    data: texts('\n      format: jsonl # Each line has a text; columns: { text: KEY } where it is not under "text".'),
    length: 256,
    lr: '',
  },
  chat: {
    ...ofRows,
    beginning: from,
    data: (glob) => `# What the assistant says is learnt, with the token that ends its turn.
objective:
  kind: chat

# Chats, each a sample of its own. \`troupe data show FILE --topology THIS\` shows them as the model will see them.
data:
  ${tokenizer}
  rows: ${glob}
  pack: true # Several lie in one sequence, of which none sees another.`,
  },
  attributes: {
    ...ofRows,
    beginning: from,
    data: (
      glob,
    ) => `# A reward model: a head on the last token of an answer gives five attributes from 0 to 4, and makes no text.
objective:
  kind: attributes

# Rated answers. \`troupe data show FILE --topology THIS\` shows them as the model will see them.
data:
  ${tokenizer}
  rows: ${glob}`,
  },
};
