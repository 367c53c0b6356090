/**
 * The numerics class of a device, and its proof: a hash over the bits of a fixed set of results. Two devices of one name
 * and one hash give the same bits; of one name only, something below the name differs.
 */
import { createHash } from 'node:crypto';
import type { Device, Tensor } from './device.ts';
import type { Value } from './graph.ts';
import { attention } from './ops/attention.ts';
import { gelu } from './ops/gelu.ts';
import { matmul } from './ops/matmul.ts';
import { reshape } from './ops/reshape.ts';
import { rmsNorm } from './ops/rms_norm.ts';
import { softmax } from './ops/softmax.ts';
import type { Program } from './program.ts';
import { fillUniform } from './random.ts';
import { f32, trace, weight } from './trace.ts';
import { vjp } from './vjp.ts';

export interface Numerics {
  /** Kind of device; processor, or adapter and driver; library. */
  readonly device: string;
  /** Over the results of the fixed programs. */
  readonly classHash: string;
}

/** Both as the one word that checkpoints carry. */
export const numericsClass = ({ device, classHash }: Numerics): string => `${device}#${classHash}`;

/** What the programs take and give, at most. */
export const numericsBytes = 16 * 2 ** 20;
const [rows, width, heads] = [96, 64, 2];

/** Runs the programs; some 100 ms on a processor. The device needs `numericsBytes`, and has them back. */
export async function measureNumerics(device: Device): Promise<Numerics> {
  const slice = device.slice('numerics', numericsBytes);
  try {
    const hash = createHash('sha256');
    const { forward, backward } = vjp(fixedProgram());
    const tensors: Record<string, Tensor> = {};
    for (const program of [forward, backward]) {
      allocateInto(tensors, program, (name, shape) => {
        const tensor = slice.tensor(name, 'f32', shape);
        const values = new Float32Array(tensor.bytes / 4);
        fillUniform(values, 1, name, -1, 1);
        device.write(tensor, values);
        return tensor;
      });
      await (await device.compile(program)).run(tensors);
      const results = await Promise.all(program.outputs.map(({ name }) => device.read(tensors[name])));
      for (const [i, { name }] of program.outputs.entries()) hash.update(name).update(results[i]);
    }
    return { device: device.numericsClass, classHash: hash.digest('hex').slice(0, 16) };
  } finally {
    slice.release();
  }
}

/** Products, a softmax, a norm, exponentials and attention, of sizes that no kernel divides evenly. */
function fixedProgram(): Program {
  const specs = { x_RD: f32([rows, width]), norm_D: weight([width]), w_DD: weight([width, width]) };
  return trace('numerics', specs, ({ x_RD, norm_D, w_DD }) => {
    const h_RD = matmul(rmsNorm(x_RD, norm_D, 1e-6), w_DD, { transposeB: true });
    const h_BHTd = reshape(h_RD, [1, heads, rows, width / heads]);
    const a_RD: Value = reshape(attention({ q: h_BHTd, k: h_BHTd, v: h_BHTd }, { causal: true }), [rows, width]);
    return { y_RD: softmax(matmul(gelu(a_RD), w_DD)) };
  });
}

function allocateInto(
  tensors: Record<string, Tensor>,
  program: Program,
  allocate: (name: string, shape: readonly number[]) => Tensor,
): void {
  for (const { name, value } of [...program.inputs, ...program.outputs]) {
    const sizes = value.type.shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
    tensors[name] ??= allocate(name, sizes);
  }
}
