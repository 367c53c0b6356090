/**
 * The experts of one layer that live on one worker, as seen by the routers: one address for their rows. The group runs
 * each expert over its own rows, side by side where they are few, and answers with one envelope. It owns nothing: state is the experts'.
 */
import type { Data } from '../kernels/dtype.ts';
import type { Actor, ActorScope, ArgsOf, Context, TensorPayload } from '../runtime/index.ts';
import type { ExpertCore } from './expert_core.ts';
import type { ExpertPart, ExpertPrograms, ExpertRun } from './expert_programs.ts';
import { dataOf, payload } from './protocol/pass.ts';
import type { expertGroupProtocol } from './protocol/expert.ts';
import { routerProtocol } from './protocol/router.ts';

type Messages = typeof expertGroupProtocol;

export class ExpertGroup implements Actor<Messages> {
  private readonly group: number;
  private readonly cores: readonly ExpertCore[];
  private readonly programs: ExpertPrograms;
  private readonly scope: ActorScope;
  /** How many experts have said that they reached a version above the group's. */
  private readonly reached = new Map<number, number>();

  constructor(group: number, cores: readonly ExpertCore[], programs: ExpertPrograms, scope: ActorScope) {
    this.group = group;
    this.cores = cores;
    this.programs = programs;
    this.scope = scope;
    scope.setParamsVersion(0);
  }

  async dispatch({ counts, rows, ...unit }: ArgsOf<Messages, 'dispatch'>, ctx: Context): Promise<void> {
    const runs = parts(rows, counts).map((part, i) => this.cores[i].admit(part, counts[i]));
    await this.runAll('forward', runs);
    const outputs = await Promise.all(this.cores.map((core, i) => core.outputs(unit, runs[i])));
    this.router(ctx).tell.outputs({ ...unit, group: this.group, rows: joined(outputs, rows) });
  }

  async outputsGradient({ counts, rows, ...unit }: ArgsOf<Messages, 'outputsGradient'>, ctx: Context): Promise<void> {
    const runs = parts(rows, counts).map((part, i) => this.cores[i].admitGradients(unit, part));
    await this.runAll('backwardInput', runs);
    const gradients = await Promise.all(this.cores.map((core, i) => core.rowsGradient(runs[i])));
    this.router(ctx).tell.rowsGradient({ ...unit, group: this.group, rows: joined(gradients, rows) });
    // The router goes on with the input gradients while these are made, one batch after another.
    for (const batch of this.programs.batches(runs)) {
      const cores = this.cores.filter((_, i) => batch.includes(runs[i]));
      await this.programs.run(
        'backwardWeight',
        cores.map((core) => core.openLeaf(unit)),
      );
      for (const core of cores) await core.closeLeaf(unit);
    }
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

  /** All at once: the device runs them in order, and nothing of its worker's own comes between. */
  private async runAll(part: ExpertPart, runs: readonly ExpertRun[]): Promise<void> {
    await Promise.all(this.programs.batches(runs).map((batch) => this.programs.run(part, batch)));
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
