/**
 * The programs of a router, and the memory of one microbatch in it: rows out and back, scores, gates, and their
 * gradients. Tensors are named as in the programs of `models/blocks/mixture.ts`.
 */
import type { Bindings, Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { add } from '../../kernels/ops/add.ts';
import { typeOf, type Program } from '../../kernels/program.ts';
import { f32, trace } from '../../kernels/trace.ts';
import type { MixturePrograms } from '../../models/model.ts';
import { tensorFor } from '../stage/bindings.ts';
import { differentiate, type Differentiated } from '../stage/differentiated.ts';

export interface RouterPrograms {
  readonly score: Differentiated;
  readonly scoreEvaluation: Executable;
  readonly choose: Executable;
  readonly gates: Differentiated;
  readonly dispatch: Differentiated;
  readonly combine: Differentiated;
  /** a_RD, b_RD → sum_RD: the two gradients of the rows that the stage handed over. */
  readonly sum: Executable;
}

/** Bindings of each program, over tensors that the programs share by name. */
export interface RouterContext {
  readonly score: Bindings;
  readonly choose: Bindings;
  readonly gates: Bindings;
  readonly dispatch: Bindings;
  readonly combine: Bindings;
  readonly sum: Bindings;
}

export async function compileRouter(device: Device, programs: MixturePrograms): Promise<RouterPrograms> {
  const rows = typeOf(programs.dispatch, 'h_RD').shape;
  const sum = trace('sum_gradients', { a_RD: f32(rows), b_RD: f32(rows) }, ({ a_RD, b_RD }) => ({
    sum_RD: add(a_RD, b_RD),
  }));
  return {
    score: await differentiate(device, programs.score),
    scoreEvaluation: await device.compile(programs.scoreEvaluation),
    choose: await device.compile(programs.choose),
    gates: await differentiate(device, programs.gates, { constants: ['load_GE', 'z_weight_1'] }),
    dispatch: await differentiate(device, programs.dispatch),
    combine: await differentiate(device, programs.combine),
    sum: await device.compile(sum),
  };
}

/** Tensors that several of the programs have, by these names. */
const common = ['h_RD', 'logits_RE', 'd_logits_RE', 'gates_RK', 'd_gates_RK'];

/** Takes the memory of one microbatch from the router's slice. Throws `OutOfSliceMemory`. */
export function createRouterContext(slice: Slice, programs: RouterPrograms, weights: Bindings): RouterContext {
  const shared: Record<string, Tensor> = {};
  const bind = (bound: readonly Program[]): Record<string, Tensor> => {
    const bindings: Record<string, Tensor> = {};
    for (const program of bound) {
      for (const { name, value } of [...program.inputs, ...program.outputs]) {
        // Gradients of weights are bound to a leaf when the backward runs.
        if (weights[name.replace(/^d_/, '')] !== undefined) continue;
        const own = common.includes(name) ? shared : bindings;
        bindings[name] = own[name] ??= tensorFor(slice, name, value.type);
      }
    }
    return { ...bindings, ...weights };
  };
  const both = ({ vjp: { forward, backward } }: Differentiated): readonly Program[] => [forward, backward];
  const score = bind(both(programs.score));
  const dispatch = bind(both(programs.dispatch));
  const sum = {
    a_RD: dispatch.d_h_RD,
    b_RD: score.d_h_RD,
    sum_RD: tensorFor(slice, 'sum_RD', typeOf(programs.dispatch.vjp.forward, 'h_RD')),
  };
  const choose = bind([programs.choose.program]);
  return { score, choose, gates: bind(both(programs.gates)), dispatch, combine: bind(both(programs.combine)), sum };
}
