/** Config differences: what two models of equal shapes compute otherwise, and how their routers learn otherwise. */
import { expect, it } from 'vitest';
import { modelConfigOf } from '../../src/models/from_topology.ts';
import { differencesOf } from '../../src/run/config_differences.ts';
import { smallTopology, type Settings } from './run_kit.ts';

const configOf = (settings: Settings) => modelConfigOf(smallTopology(settings), 256);

const dense = { 'model.architecture': 'llama', 'parallelism.expert_parallel': 1, moe: undefined };

const none = { computed: [], trained: [] };

it.each<[string, Settings, Settings, object]>([
  ['nothing of a model and itself', {}, {}, none],
  ['a base of rotation', { 'model.rope_theta': 5 }, {}, { computed: ['rope_theta 5, here 10000'], trained: [] }],
  ['experts that a token visits', { 'moe.top_k': 2 }, {}, { computed: ['moe.top_k 2, here 1'], trained: [] }],
  [
    'gates',
    { 'moe.top_k': 2, 'moe.route_norm': true },
    { 'moe.top_k': 2 },
    { computed: ['moe.route_norm true, here false'], trained: [] },
  ],
  [
    'how routers learn',
    { 'moe.aux_loss_coef': 0.5, 'moe.z_loss_coef': 0.1 },
    {},
    { computed: [], trained: ['moe.aux_loss_coef 0.5, here 0.01', 'moe.z_loss_coef 0.1, here 0'] },
  ],
  [
    'whether somebody is dropped',
    { 'moe.overflow': 'dropless' },
    { 'moe.capacity_factor': 2 },
    { computed: ['moe.overflow "dropless", here "drop"'], trained: [] },
  ],
  ['slots', { 'moe.capacity_factor': 2 }, {}, { computed: ['moe.capacity_factor 2, here 1.25'], trained: [] }],
  [
    'no slots where nobody counts them',
    { 'moe.overflow': 'dropless', 'moe.capacity_factor': 2 },
    { 'moe.overflow': 'dropless' },
    none,
  ],
  ['no routing where one has no experts', {}, dense, { computed: ['hidden_act null, here "silu"'], trained: [] }],
])('tell %s', (_, theirs, ours, differences) => {
  expect(differencesOf(configOf(theirs), configOf(ours))).toEqual(differences);
});
