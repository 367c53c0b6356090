/** One tiny run of each family, and of hybrids, with widths that are multiples of nothing: what all of them keep is tested with these. */
import type { Topology } from '../../src/topology/index.ts';
import { denseTopology, mambaTopology, smallTopology } from './kit.ts';

type Settings = Readonly<Record<string, unknown>>;

const short = { 'training.steps': 3, 'training.global_batch_size': 4 };
const sizes = {
  ...short,
  'model.hidden_size': 20,
  'model.num_attention_heads': 4,
  'model.head_dim': 6,
  'model.intermediate_size': 28,
};
const shared = { 'model.num_key_value_heads': 2 };
/** What the small run says of its Switch layers, and these do not have. */
const noSwitch = { 'moe.every_n_layers': 1, 'moe.z_loss_coef': 0 };
const hybrid = { ...sizes, ...noSwitch, 'model.architecture': 'moe_mamba', 'model.state_size': 5 };

/** With these settings more, by the family's name. */
export const families: Readonly<Record<string, (more: Settings) => Topology>> = {
  llama: (more) => denseTopology({ ...sizes, ...shared, 'model.architecture': 'llama', ...more }),
  mixtral: (more) =>
    smallTopology({ ...sizes, ...shared, ...noSwitch, 'model.architecture': 'mixtral', 'moe.top_k': 2, ...more }),
  nemotron: (more) =>
    denseTopology({ ...sizes, ...shared, 'model.architecture': 'nemotron', 'model.head_dim': 4, ...more }),
  mamba: (more) => mambaTopology({ ...short, ...more }),
  'MoE-Mamba': (more) => smallTopology({ ...hybrid, ...more }),
};

export const hybrids: Readonly<Record<string, (more: Settings) => Topology>> = {
  'Mamba beside experts': (more) => smallTopology({ ...hybrid, 'model.layers': ['mamba+moe'], ...more }),
  'Mamba of inner mixtures': (more) => smallTopology({ ...hybrid, 'model.layers': ['mamba(conv gate out)'], ...more }),
  'inner mixtures in every other layer': (more) =>
    smallTopology({ ...hybrid, 'model.layers': ['mamba', 'mamba(gate)'], ...more }),
  'attention and experts': (more) => smallTopology({ ...hybrid, 'model.layers': ['attention', 'moe'], ...more }),
  'Mamba, attention, a network and experts': (more) =>
    smallTopology({ ...hybrid, 'model.layers': ['mamba', 'attention', 'mlp', 'moe'], ...more }),
};
