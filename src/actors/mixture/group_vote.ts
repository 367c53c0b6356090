/**
 * The vote of a group on a training step is that of all its experts: it is made when the gradients of all microbatches are there,
 * beside the messages that come, and what is decided is applied by one expert after another.
 */
import type { Context, Reply } from '../../runtime/index.ts';
import { emptyVote, type AppliedDecision, type Vote } from '../protocol/parameters.ts';
import type { ExpertCore } from './expert_core.ts';

export interface GroupVoteParts {
  readonly cores: readonly ExpertCore[];
  /** Name of the mixture. */
  readonly mixture: string;
  /** Microbatches that make a step. */
  readonly microbatches: number;
}

export class GroupVote {
  private readonly parts: GroupVoteParts;
  /** Microbatches of the step whose gradients are there, and rows that went forward. */
  private weighed = 0;
  private processed = 0;
  private waiting: Reply<Vote> | null = null;
  private voting: Promise<void> = Promise.resolve();

  constructor(parts: GroupVoteParts) {
    this.parts = parts;
  }

  /** So many rows of a training pass have gone forward. */
  count(rows: number): void {
    this.processed += rows;
  }

  /** The gradients of a microbatch are made. */
  weigh(): void {
    this.weighed++;
    this.conclude();
  }

  prepare(ctx: Context): Reply<Vote> {
    const reply = ctx.defer<Vote>();
    this.waiting = reply;
    this.conclude();
    return reply;
  }

  async apply(decision: AppliedDecision): Promise<void> {
    for (const core of this.parts.cores) await core.apply(decision);
  }

  /** Drops the pass under way, once no vote is being made any more. */
  async abandon(): Promise<void> {
    await this.voting;
    if (this.waiting?.settled === false) this.waiting.reject(new Error('the gen of this pass is over'));
    this.waiting = null;
    this.endPass();
  }

  private conclude(): void {
    const { waiting } = this;
    if (waiting === null || this.weighed < this.parts.microbatches) return;
    this.waiting = null;
    this.voting = this.vote(waiting);
  }

  private async vote(waiting: Reply<Vote>): Promise<void> {
    const { cores, mixture } = this.parts;
    const { processed } = this;
    this.endPass();
    try {
      const squares: Record<string, number> = {};
      for (const core of cores) Object.assign(squares, await core.vote());
      // An actor that ended in between has refused its replies.
      if (!waiting.settled) waiting.resolve({ ...emptyVote, processed: { [mixture]: processed }, squares });
    } catch (error) {
      if (!waiting.settled) waiting.reject(error);
    }
  }

  private endPass(): void {
    this.weighed = 0;
    this.processed = 0;
  }
}
