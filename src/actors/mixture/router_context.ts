/**
 * The programs of a router, and the memory of one microbatch in it: rows out and back, scores, gates, and their
 * gradients. Tensors are named as in the programs of `models/blocks/mixture.ts`.
 */
import type { Bindings, Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { add } from '../../kernels/ops/add.ts';
import { typeOf } from '../../kernels/program.ts';
import { f32, trace } from '../../kernels/trace.ts';
import type { MixturePrograms } from '../../models/model.ts';
import { tensorFor } from '../stage/bindings.ts';
import { differentiate, type Differentiated } from '../stage/differentiated.ts';

export interface RouterPrograms {
  readonly score: Differentiated;
  readonly scoreEvaluation: Executable;
  readonly dispatch: Differentiated;
  readonly combine: Differentiated;
  /** a_RD, b_RD → sum_RD: the two gradients of the rows that the stage handed over. */
  readonly sum: Executable;
}

/** Bindings of each program, over tensors that the programs share by name. */
export interface RouterContext {
  readonly score: Bindings;
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
    dispatch: await differentiate(device, programs.dispatch),
    combine: await differentiate(device, programs.combine),
    sum: await device.compile(sum),
  };
}

/** Takes the memory of one microbatch from the router's slice. Throws `OutOfSliceMemory`. */
export function createRouterContext(slice: Slice, programs: RouterPrograms, weights: Bindings): RouterContext {
  const h_RD = tensorFor(slice, 'h_RD', typeOf(programs.dispatch.vjp.forward, 'h_RD'));
  const bind = ({ vjp }: Differentiated): Record<string, Tensor> => {
    const bindings: Record<string, Tensor> = { h_RD };
    for (const program of [vjp.forward, vjp.backward]) {
      for (const { name, value } of [...program.inputs, ...program.outputs]) {
        // Gradients of weights are bound to a leaf when the backward runs.
        const isWeight = weights[name.replace(/^d_/, '')] !== undefined;
        if (!isWeight) bindings[name] ??= tensorFor(slice, name, value.type);
      }
    }
    return { ...bindings, ...weights };
  };
  const score = bind(programs.score);
  const dispatch = bind(programs.dispatch);
  const sum = {
    a_RD: dispatch.d_h_RD,
    b_RD: score.d_h_RD,
    sum_RD: tensorFor(slice, 'sum_RD', typeOf(programs.dispatch.vjp.forward, 'h_RD')),
  };
  return { score, dispatch, combine: bind(programs.combine), sum };
}
