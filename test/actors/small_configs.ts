/** The small configs, one a family, and the arms that moe-mamba.yaml names, for tests that train them on what they like. */
import { readFileSync } from 'node:fs';
import { parseTopology, type Topology } from '../../src/topology/index.ts';

type Settings = Readonly<Record<string, unknown>>;

const moeMamba = (name: string, settings: Settings = {}) => [name, 'moe-mamba', settings] as const;

/** Name, file and settings. */
export const smallConfigs: readonly (readonly [name: string, file: string, settings: Settings])[] = [
  ['llama', 'llama', {}],
  ['mixtral', 'mixtral', {}],
  ['nemotron', 'nemotron', {}],
  ['mamba', 'mamba', {}],
  moeMamba('moe-mamba'),
  moeMamba('its Mamba', { 'model.layers': ['mamba'] }),
  moeMamba('more experts', { 'moe.num_experts': 32 }),
  moeMamba('experts beside Mamba', { 'model.layers': ['mamba+moe'], 'model.num_hidden_layers': 4 }),
  moeMamba('inner mixtures', { 'model.layers': ['mamba(conv gate out)'] }),
  moeMamba('every other layer', { 'model.layers': ['mamba', 'mamba(gate)'] }),
  moeMamba('Mamba and a network', { 'model.layers': ['mamba', 'mlp'] }),
  moeMamba('transformer', { 'model.layers': ['attention', 'mlp'], 'model.intermediate_size': 512 }),
  moeMamba('sparse transformer', { 'model.layers': ['attention', 'moe'], 'model.intermediate_size': 512 }),
];

/** A small config with these settings more, in one process of one worker. */
export function smallConfig(file: string, settings: Settings): Topology {
  const text = readFileSync(new URL(`../../configs/small/${file}.yaml`, import.meta.url), 'utf8');
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  return parseTopology(text, `${file}.yaml`, overrides);
}
