/** What `--set` changes in a topology file, and what a bad one says: one exact line each. */
import { describe, expect, test } from 'vitest';
import { parseOverride, parseTopology } from '../../src/topology/index.ts';
import { messageOf, sections } from './refusal.ts';

describe('an override', () => {
  test.each([
    [
      'of a wrong type is blamed, not the file',
      'training.steps=abc',
      '--set training.steps=abc: training.steps: found "abc", allowed: a whole number, 1 or more',
    ],
    [
      'of an unknown key is blamed',
      'training.stesp=1',
      '--set training.stesp=1: training.stesp: unknown key; did you mean steps? allowed here: steps, global_batch_size, sequence_length, seed, precision, eval_interval, eval_sequences, loss_scale',
    ],
    [
      'of an unknown section is blamed',
      'trainig.steps=1',
      `--set trainig.steps=1: trainig: unknown key; did you mean training? allowed here: ${sections}`,
    ],
    [
      'that breaks a rule between keys is blamed',
      'optimizer.warmup_steps=400',
      '--set optimizer.warmup_steps=400: optimizer.warmup_steps: warmup_steps 400 must be less than training.steps 300; lower it, for example --set optimizer.warmup_steps=0',
    ],
    [
      'is blamed when it is the other key of a broken rule',
      'model.max_position_embeddings=128',
      '--set model.max_position_embeddings=128: training.sequence_length: sequence_length 256 exceeds model.max_position_embeddings 128',
    ],
    [
      'without a value is refused',
      'training.steps',
      '--set training.steps: not of the form KEY=VALUE, for example training.steps=100',
    ],
    ['without a key is refused', '=3', '--set =3: not of the form KEY=VALUE, for example training.steps=100'],
    [
      'with an alias is refused',
      'name=*x',
      '--set name=*x: name: the value is not YAML (the alias *x has no anchor &x before it)',
    ],
    [
      'of an item of a list that only the default has is refused',
      'optimizer.betas.0=0.8',
      '--set optimizer.betas.0=0.8: optimizer.betas.0: optimizer.betas has no key or item "0", since the file does not give it; set all of it',
    ],
    [
      'that breaks two rules of one key is one error',
      'training.seed=1e99',
      '--set training.seed=1e99: training.seed: found 1e+99, allowed: a whole number from 0 to 4294967295',
    ],
    [
      'with a secret in it does not show it',
      'cluster.nats.url=nats://secret@10.0.0.7:4222',
      '--set cluster.nats.url=nats://…@10.0.0.7:4222: cluster.nats.url: found "nats://…@10.0.0.7:4222", allowed: auto, none, or an address such as nats://10.0.0.7:4222 or tls://nats.example:4222, without a token in it',
    ],
    [
      'that is no YAML is refused',
      'training.steps=[1',
      '--set training.steps=[1: training.steps: the value is not YAML (Flow sequence must end with a ])',
    ],
    [
      'through a plain value is refused',
      'name.first=x',
      '--set name.first=x: name.first: name has no key or item "first"',
    ],
    [
      'past the end of a list is refused',
      'data.blend.4.weight=1',
      '--set data.blend.4.weight=1: data.blend.4.weight: data.blend has no key or item "4"',
    ],
    [
      'cannot reach a prototype',
      '__proto__.x=1',
      `--set __proto__.x=1: __proto__: unknown key; allowed here: ${sections}`,
    ],
  ])('%s', (_what, override, message) => {
    expect(messageOf('name: a\ndata: { blend: [ { name: a, glob: x } ] }', override)).toBe(message);
  });

  test('replaces values of the file, in items of lists too, and the last one wins', () => {
    const text = 'training: { steps: 50 }\ndata: { blend: [ { name: a, glob: x, weight: 2 } ] }';
    const overrides = [
      'training.steps=60',
      'data.blend.0.weight=0.5',
      'optimizer.betas=[0.8, 0.9]',
      'training.steps=70',
    ];
    const topology = parseTopology(text, 'run.yaml', overrides.map(parseOverride));
    expect(topology.training.steps).toBe(70);
    expect(topology.data.blend[0].weight).toBe(0.5);
    expect(topology.optimizer.betas).toEqual([0.8, 0.9]);
  });

  test('leaves out a key that has no default where it is null, and then gives it again', () => {
    const text = [
      'cluster: { nats: { token_file: t, port: 4222 } }',
      'data: { blend: [ { name: a, glob: x, exclude: y } ] }',
      'moe: { num_experts: 2 }',
    ].join('\n');
    const resolved = (...overrides: string[]) => parseTopology(text, 'run.yaml', overrides.map(parseOverride));
    const keys = ['cluster.nats.token_file', 'cluster.nats.port', 'data.blend.0.exclude'];
    const { cluster, data, moe } = resolved(...keys.map((key) => `${key}=null`));
    expect(Object.keys(cluster.nats)).toEqual(['url']);
    expect(Object.keys(data.blend[0])).not.toContain('exclude');
    expect(moe?.num_experts).toBe(2);
    expect(
      Object.keys(resolved(...keys.map((key) => `${key}=null`), 'model.architecture=transformer', 'moe=null')),
    ).not.toContain('moe');
    const again = resolved('cluster.nats.token_file=null', 'cluster.nats.port=null', 'cluster.nats.port=1');
    expect(again.cluster.nats.port).toBe(1);
  });

  test('leaves out what was not there', () => {
    expect(parseTopology('', 'run.yaml', [parseOverride('cluster.nats.port=null')])).toEqual(
      parseTopology('', 'run.yaml'),
    );
  });

  test.each([
    ['training.steps', 'found nothing, allowed: a whole number, 1 or more'],
    ['cluster.memory_per_worker', expect.stringContaining('found nothing')],
    ['data.blend.0.name', expect.stringContaining('found nothing')],
    ['cluster.nats.prot', expect.stringContaining('unknown key')],
  ])('leaves no other key out: %s=null', (key, line) => {
    const message = messageOf('data: { blend: [ { name: a, glob: x } ] }', `${key}=null`);
    const prefix = `--set ${key}=null: ${key}: `;
    expect([message.slice(0, prefix.length), message.slice(prefix.length)]).toEqual([prefix, line]);
  });

  test('mends a value of the file before it is validated', () => {
    expect(messageOf('training: { steps: abc }', 'training.steps=100')).toBe('accepted');
  });
});
