/** Taps of a block: what they show, and that a program without them has nothing of theirs. */
import { describe, expect, it } from 'vitest';
import { denseBlock } from '../../src/models/blocks/decoder_layer.ts';
import { LayerBuilder } from '../../src/models/layer_builder.ts';
import { tracedBlock } from '../../src/models/traced_block.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { f32 } from '../../src/kernels/trace.ts';
import { layersOf } from '../../src/models/model.ts';
import { modelOf, tinyConfig, tinySettings, tinyShape, usualSublayers } from './kit.ts';

const block = (names: readonly string[], taps: { batch: number; sequence: number } | null) =>
  tracedBlock({
    name: 'block',
    reads: { x_RD: f32([4, 2]) },
    weightsAt: () => ({}),
    apply: ({ x_RD }, tap) => {
      for (const name of names) tap(name, () => x_RD);
      return { y_RD: x_RD };
    },
    taps,
  });

describe('a tap', () => {
  const shape = { batch: 2, sequence: 2 };

  it('has the sums of sizes over the live rows of each sequence', () => {
    const { program } = block(['x'], shape);
    const { tap_x } = runReference(program, {
      x_RD: Float32Array.of(1, -2, -4, 8, 16, -32, 64, NaN),
      live_R1: Float32Array.of(1, 1, 1, 0),
    });
    expect([...tap_x]).toEqual([5, 10, 16, NaN]);
    const masked = { x_RD: Float32Array.of(1, -2, -4, 8, 16, -32, 64, 128), live_R1: Float32Array.of(1, 1, 1, 0) };
    expect([...runReference(program, masked).tap_x]).toEqual([5, 10, 16, 32]);
  });

  it('is a report of the step that runs the block, and its mask is the batch’s', () => {
    const layer = new LayerBuilder('model.layers.3');
    layer.run(block(['x'], shape), { x_RD: 'rows' });
    const [step] = layer.build(3).steps;
    expect(step).toMatchObject({
      reads: { x_RD: 'rows', live_R1: 'batch.live' },
      writes: { tap_x: 'model.layers.3/0.tap_x' },
      reports: ['tap_x'],
    });
  });

  it('is refused where its name is taken', () => {
    expect(() => block(['x', 'x'], shape)).toThrow('two taps of a block are named x');
  });
});

it('leaves nothing in a block that is traced without', () => {
  const parts = { shape: { ...tinyShape, ffn: 12 }, settings: tinySettings, sublayers: usualSublayers };
  const { program } = denseBlock(parts);
  const observed = denseBlock({ ...parts, settings: { ...tinySettings, taps: true } }).program;
  expect(program.outputs.map(({ name }) => name)).toEqual(['y_RD']);
  expect(program.inputs.map(({ name }) => name)).not.toContain('live_R1');
  expect(observed.nodes.length).toBeGreaterThan(program.nodes.length);
  expect(observed.outputs.map(({ name }) => name).toSorted()).toEqual([
    ...['tap_heads', 'tap_input_layernorm', 'tap_neurons', 'tap_post_attention_layernorm', 'y_RD'],
  ]);
});

it('is in every layer of a model, but for the neurons of experts', () => {
  const model = modelOf(tinyConfig, { ...tinySettings, taps: true });
  const taps = layersOf(model).map(({ steps }) =>
    steps.flatMap((step) => (step.kind === 'run' ? (step.reports ?? []) : [])).toSorted(),
  );
  const sparse = ['tap_heads', 'tap_input_layernorm', 'tap_post_attention_layernorm'];
  const dense = ['tap_heads', 'tap_input_layernorm', 'tap_neurons', 'tap_post_attention_layernorm'];
  expect(taps).toEqual([[], dense, sparse, dense, sparse, []]);
});
