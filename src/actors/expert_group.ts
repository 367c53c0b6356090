/**
 * The experts of one layer that live on one worker, as seen by the routers: one address for their rows. The group runs
 * each expert over its own rows in expert order and answers with one envelope. It owns nothing: state is the experts'.
 */
import type { Data } from '../kernels/dtype.ts';
import type { Actor, ActorScope, ArgsOf, Context, TensorPayload } from '../runtime/index.ts';
import type { ExpertCore } from './expert_core.ts';
import { dataOf, payload } from './protocol/pass.ts';
import type { expertGroupProtocol } from './protocol/expert.ts';
import { routerProtocol } from './protocol/router.ts';

type Messages = typeof expertGroupProtocol;

export class ExpertGroup implements Actor<Messages> {
  private readonly group: number;
  private readonly cores: readonly ExpertCore[];
  private readonly scope: ActorScope;
  /** How many experts have said that they reached a version above the group's. */
  private readonly reached = new Map<number, number>();

  constructor(group: number, cores: readonly ExpertCore[], scope: ActorScope) {
    this.group = group;
    this.cores = cores;
    this.scope = scope;
    scope.setParamsVersion(0);
  }

  async dispatch({ counts, rows, ...unit }: ArgsOf<Messages, 'dispatch'>, ctx: Context): Promise<void> {
    // All at once: the device runs them in order, and nothing of its worker's own comes between.
    const outputs = await Promise.all(
      parts(rows, counts).map((part, i) => this.cores[i].forward(unit, part, counts[i])),
    );
    this.router(ctx).tell.outputs({ ...unit, group: this.group, rows: joined(outputs, rows) });
  }

  async outputsGradient({ counts, rows, ...unit }: ArgsOf<Messages, 'outputsGradient'>, ctx: Context): Promise<void> {
    const gradients = await Promise.all(parts(rows, counts).map((part, i) => this.cores[i].backwardInput(unit, part)));
    this.router(ctx).tell.rowsGradient({ ...unit, group: this.group, rows: joined(gradients, rows) });
    // The router goes on with the input gradients while these are made.
    for (const core of this.cores) await core.backwardWeight(unit);
  }

  advanced({ version }: ArgsOf<Messages, 'advanced'>): void {
    const count = (this.reached.get(version) ?? 0) + 1;
    this.reached.set(version, count);
    if (count < this.cores.length) return;
    this.reached.delete(version);
    this.scope.setParamsVersion(version);
  }

  abandon(): void {
    for (const core of this.cores) core.abandon();
  }

  private router(ctx: Context) {
    return ctx.ref(routerProtocol, ctx.sender);
  }
}

/** The rows of each expert, which follow one another. */
function parts(rows: TensorPayload, counts: readonly number[]): Data[] {
  const width = rows.shape[1];
  const data = dataOf(rows);
  let at = 0;
  return counts.map((count) => data.subarray(at * width, (at += count) * width));
}

/** All experts' rows in one tensor, in the precision they came in. */
function joined(chunks: readonly Data[], { shape }: TensorPayload): TensorPayload {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const first = chunks[0];
  const all = first instanceof Float32Array ? new Float32Array(length) : new Uint16Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return payload(all, shape);
}
