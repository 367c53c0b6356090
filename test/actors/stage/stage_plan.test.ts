/** What a stage does for a microbatch, from its steps: the order, what is waited for, and which tensors share memory. */
import { describe, expect, it } from 'vitest';
import { compileStage, createStageContext } from '../../../src/actors/stage/stage_context.ts';
import { partTowards, stagePart, type StagePart } from '../../../src/actors/stage/stage_part.ts';
import { gradientKey, StagePlan, type Action } from '../../../src/actors/stage/stage_plan.ts';
import { writesOf } from '../../../src/actors/stage/step_streams.ts';
import { livesOf, sharedMemory } from '../../../src/actors/stage/tensor_lives.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { add, f32, mul, relu, trace, type Program } from '../../../src/kernels/index.ts';
import type { HandStep, Layer, RunStep, Step } from '../../../src/models/model.ts';

const rows = f32([8, 16]);
const one = trace('one', { x_RD: rows }, ({ x_RD }) => ({ y_RD: mul(relu(x_RD), x_RD) }));
const two = trace('two', { a_RD: rows, b_RD: rows }, ({ a_RD, b_RD }) => ({ y_RD: add(a_RD, b_RD) }));

const run = (program: Program, reads: Record<string, string>, y_RD: string): RunStep => ({
  kind: 'run',
  program,
  weights: {},
  reads,
  writes: { y_RD },
});
const hand: HandStep = { kind: 'hand', to: 'moe', gives: 'h', takes: 'm' };

const layer = (name: string, index: number, steps: readonly Step[]): Layer => ({ name, index, steps, mixtures: [] });
const meshOf = (...layersByRank: readonly (readonly number[])[]) => ({
  stages: layersByRank.map((layers, pipelineRank) => ({
    role: `stage-p${pipelineRank}-d0`,
    pipelineRank,
    dataRank: 0,
    layers,
    isFirst: pipelineRank === 0,
    isLast: pipelineRank === layersByRank.length - 1,
  })),
});

const objective = { losses: 'y', reports: {}, weightsOf: () => new Map<string, number[]>() };

/** The plan of one rank of a model of these layers, which ends with the stream `y`. */
function planOf(layers: readonly Layer[], mesh = meshOf(layers.map((_, index) => index)), rank = 0): StagePlan {
  const model = {
    batch: 1,
    sequence: 8,
    stacks: [{ name: 'decoder', layers, gives: 'y' }],
    objective,
    logits: null,
  };
  return new StagePlan(stagePart(model, mesh, rank), { keeps: ['y'], isTraining: true });
}

/** Actions as words: what is run or goes out, and what has to have come. */
const told = (actions: readonly Action[]): string[] =>
  actions.map((action) => {
    const what = action.does === 'run' ? Object.values(action.step.writes).join() : action.does;
    const of = action.does === 'send' ? ` ${action.stream} to ${action.to.join()}` : '';
    const needs = action.needs.map(({ key, peer }) => `${key} from ${peer}`);
    return needs.length === 0 ? `${what}${of}` : `${what}${of} when ${needs.join(', ')}`;
  });

describe('a layer that goes on while its rows are with experts', () => {
  const parallel = planOf([
    layer('0', 0, [
      run(one, { x_RD: 'batch.x' }, 'h'),
      hand,
      run(one, { x_RD: 'h' }, 'mixed'),
      run(two, { a_RD: 'mixed', b_RD: 'm' }, 'y'),
    ]),
  ]);

  it('waits for them only where they are read', () => {
    expect(told(parallel.forward)).toEqual(['h', 'hand', 'mixed', 'y when m from moe']);
  });

  it('sends their gradient as soon as it is there, and waits only for what comes back', () => {
    expect(told(parallel.backward)).toEqual(['y', 'hand', 'mixed', `h when ${gradientKey('h', 0)} from moe`]);
  });

  it('adds the gradients of a stream in the order of its readers, whoever is done first', () => {
    expect(parallel.readers.get('h')!.map(({ number, peer, step }) => [number, peer ?? step])).toEqual([
      [0, 'moe'],
      [1, 2],
    ]);
  });

  it('keeps memory for the answer from the hand-over on', () => {
    const lives = new Map(livesOf(parallel).map((life) => [life.key, life]));
    expect(lives.get('m')).toMatchObject({ from: 1, to: 3 });
    expect(lives.get(gradientKey('h', 0))).toMatchObject({ from: 5, to: 7 });
  });
});

it('keeps what it hands over until the answer comes, and no longer', () => {
  const apart = planOf([layer('0', 0, [run(one, { x_RD: 'batch.x' }, 'h'), hand, run(one, { x_RD: 'm' }, 'y')])]);
  const lives = new Map(livesOf(apart).map((life) => [life.key, life]));
  // Between two actions: memory of what the second makes may be that of the rows.
  expect(lives.get('h')!.to).toBeGreaterThan(1);
  expect(lives.get('h')!.to).toBeLessThan(2);
  expect(told(apart.backward)).toEqual(['y', 'hand', `h when ${gradientKey('h', 0)} from moe`]);
  expect(lives.get(gradientKey('m'))!.to).toBeGreaterThan(4);
  expect(lives.get(gradientKey('m'))!.to).toBeLessThan(5);
});

describe('a stream that later stages read', () => {
  const layers = [
    layer('0', 0, [run(one, { x_RD: 'batch.x' }, 'a')]),
    layer('1', 1, [run(one, { x_RD: 'a' }, 'b')]),
    layer('2', 2, [run(two, { a_RD: 'b', b_RD: 'a' }, 'y')]),
  ];
  const mesh = meshOf([0], [1], [2]);

  it('goes to each of them, and its gradients come from each', () => {
    const plan = planOf(layers, mesh, 0);
    expect(told(plan.forward)).toEqual(['a', 'send a to 1,2']);
    expect(told(plan.backward)).toEqual([`a when ${gradientKey('a', 0)} from 1, ${gradientKey('a', 1)} from 2`]);
    expect(plan.keyOf('a', 2, true)).toBe(gradientKey('a', 1));
    expect(plan.keyOf('a', 7, true)).toBeNull();
  });

  it('is waited for by each, and its gradient goes back once all readers there are done', () => {
    const plan = planOf(layers, mesh, 2);
    expect(told(plan.forward)).toEqual(['y when b from 1, a from 0']);
    expect(told(plan.backward)).toEqual(['y', 'send b to 1', 'send a to 0']);
  });

  it('of which nobody reads a gradient is refused', () => {
    expect(() => planOf([layer('0', 0, [...layers[0].steps, run(one, { x_RD: 'batch.x' }, 'y')])])).toThrow(
      'stream a is written, and nobody reads it',
    );
  });
});

describe('an answer', () => {
  it('that a step reads at two inputs is given its gradient once', () => {
    const { backward } = planOf([
      layer('0', 0, [run(one, { x_RD: 'batch.x' }, 'h'), hand, run(two, { a_RD: 'm', b_RD: 'm' }, 'y')]),
    ]);
    expect(told(backward)).toEqual(['y', 'hand', `h when ${gradientKey('h', 0)} from moe`]);
  });

  it('that only another rank reads is sent on, and its gradient goes to the mixture', () => {
    const layers = [
      layer('0', 0, [run(one, { x_RD: 'batch.x' }, 'h'), hand]),
      layer('1', 1, [run(one, { x_RD: 'm' }, 'y')]),
    ];
    const plan = planOf(layers, meshOf([0], [1]), 0);
    expect(told(plan.forward)).toEqual(['h', 'hand', 'send m to 1 when m from moe']);
    expect(told(plan.backward)).toEqual([
      `hand when ${gradientKey('m', 0)} from 1`,
      `h when ${gradientKey('h', 0)} from moe`,
    ]);
    expect(livesOf(plan).find(({ key }) => key === 'm')?.type.shape).toEqual([8, 16]);
  });

  it('is known by its sender: rows that nobody owes have no place', () => {
    const plan = planOf([layer('0', 0, [run(one, { x_RD: 'batch.x' }, 'h'), hand, run(one, { x_RD: 'm' }, 'y')])]);
    expect(plan.keyOf('m', 'moe', false)).toBe('m');
    expect(plan.keyOf('m', 1, false)).toBeNull();
    expect(plan.keyOf('h', 'moe', false)).toBeNull();
  });
});

describe('a part', () => {
  const layers: Layer[] = [
    { ...layer('embed', 0, [run(one, { x_RD: 'batch.x' }, 'a')]), index: null },
    layer('0', 0, [run(one, { x_RD: 'a' }, 'b')]),
    { ...layer('between', 0, [run(one, { x_RD: 'b' }, 'c')]), index: null },
    layer('1', 1, [run(one, { x_RD: 'c' }, 'd')]),
    { ...layer('head', 0, [run(one, { x_RD: 'd' }, 'e'), run(one, { x_RD: 'e' }, 'y')]), index: null },
  ];
  const model = { batch: 1, sequence: 8, stacks: [{ name: 'decoder', layers, gives: 'd' }] };
  const partOf = (rank: number) => stagePart({ ...model, objective, logits: null }, meshOf([0], [1]), rank);
  const written = ({ steps }: StagePart): string[] => steps.flatMap(writesOf);

  it('has layers that the pipeline does not count with the next that it does, and at the end with the last', () => {
    expect([0, 1].map((rank) => written(partOf(rank)))).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e', 'y'],
    ]);
  });

  it('towards some streams leaves out all steps of a loss', () => {
    expect(written(partTowards(partOf(1), ['d']))).toEqual(['c', 'd']);
    expect(written(partTowards(partOf(0), ['d']))).toEqual(['a', 'b']);
  });
});

describe('memory', () => {
  const deep = planOf(
    Array.from({ length: 8 }, (_, i) =>
      layer(String(i), i, [run(one, { x_RD: i === 0 ? 'batch.x' : `s${i}` }, i === 7 ? 'y' : `s${i + 1}`)]),
    ),
  );

  it('is shared by tensors of one type that are never needed at once, and by no others', () => {
    const lives = livesOf(deep);
    const homes = sharedMemory(lives);
    const atHome = Map.groupBy(lives, ({ key }) => homes.get(key)!.key);
    for (const together of atHome.values()) {
      const inOrder = together.toSorted((a, b) => a.from - b.from);
      inOrder.slice(1).forEach((life, i) => expect(inOrder[i].to).toBeLessThan(life.from));
    }
    expect(atHome.size).toBeLessThan(lives.length);
  });

  it('of the way back is mostly what the way forward leaves, since a stream is free once its reader has gone back', () => {
    const homes = sharedMemory(livesOf(deep));
    const isGradient = (key: string): boolean => key.startsWith('d_');
    const own = new Set(
      [...homes].flatMap(([key, home]) => (isGradient(key) && isGradient(home.key) ? [home.key] : [])),
    );
    expect(own.size).toBeLessThanOrEqual(2);
  });

  it('is bound once, for each step its own tensors', async () => {
    const device = new DryDevice();
    const programs = await compileStage(device, deep);
    const { bindings, tensors } = createStageContext(device.slice('stage', 2 ** 20), programs, {});
    for (const [at, bound] of bindings) {
      expect(bound.x_RD).toBe(tensors[at === 0 ? 'batch.x' : `s${at}`]);
      expect(bound.y_RD).not.toBe(bound.x_RD);
      expect(bound.d_x_RD).not.toBe(bound.d_y_RD);
    }
  });
});
