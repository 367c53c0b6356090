/** How far two gradients of one step are apart, as the checkpoints before and after it show them. */
import { float32Of, readTensors, type Checkpoint } from '../../src/checkpoints/index.ts';

export interface Distance {
  /** Norm of the difference over the norm, of all tensors together. */
  readonly whole: number;
  /** The same of the tensor in which it is largest. */
  readonly largest: number;
  readonly tensor: string;
}

/**
 * (1 − β₁) g = m′ − β₁ m, with m and m′ the first moments before and after: `after` are the checkpoints of both sides, the
 * second of which is measured by the first.
 */
export async function gradientDistance(
  before: Checkpoint,
  after: readonly [expected: Checkpoint, actual: Checkpoint],
  beta: number,
): Promise<Distance> {
  const names = [...before.fileOf.keys()].filter((name) => name.endsWith('.exp_avg'));
  const [old, expected, actual] = await Promise.all([before, ...after].map((each) => momentsOf(each, names)));
  let [difference, norm, largest, tensor] = [0, 0, 0, ''];
  for (const name of names) {
    const [was, wanted, made] = [old, expected, actual].map((moments) => moments.get(name)!);
    let [apart, own] = [0, 0];
    was.forEach((moment, i) => {
      apart += (made[i] - wanted[i]) ** 2;
      own += (wanted[i] - beta * moment) ** 2;
    });
    difference += apart;
    norm += own;
    if (own === 0 || apart / own <= largest) continue;
    largest = apart / own;
    tensor = name.replace(/\.exp_avg$/, '');
  }
  return { whole: Math.sqrt(difference / norm), largest: Math.sqrt(largest), tensor };
}

async function momentsOf(checkpoint: Checkpoint, names: readonly string[]): Promise<Map<string, Float32Array>> {
  const moments = new Map<string, Float32Array>();
  for await (const tensor of readTensors(checkpoint, names)) moments.set(tensor.name, float32Of(tensor));
  return moments;
}
