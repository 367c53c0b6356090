/**
 * The trainer: the supervisor actor that runs the training loop. A step is opened, voted on, judged, decided and
 * applied; the decision store is the commit point. It takes one step a message, so that an interrupt is heard in between.
 */
import type { Actor, ActorScope, ArgsOf, Context, Ref, Reply } from '../runtime/index.ts';
import type { StepMetrics } from '../telemetry/index.ts';
import type { Mesh, Topology } from '../topology/index.ts';
import { globalMicrobatch } from '../topology/index.ts';
import { checkpointerAddress, stageAddress, trainerAddress } from './addresses.ts';
import type { DecisionStore } from './decision_store.ts';
import { clipScale } from './gradient_norm.ts';
import { learningRate } from './learning_rate.ts';
import { stageProtocol } from './protocol/stage.ts';
import type { Decision, Vote } from './protocol/stateful.ts';
import { checkpointerProtocol, trainerProtocol, type TrainingOutcome } from './protocol/trainer.ts';
import { rolesOf, type Role } from './roles.ts';
import { judge, Unstable } from './sentinel.ts';
import { meanLoss, tally, type Tally } from './tally.ts';

type Messages = typeof trainerProtocol;

export interface TrainerParts {
  readonly topology: Topology;
  readonly mesh: Mesh;
  readonly decisions: DecisionStore;
  /** Microbatches of the evaluation. */
  readonly evaluationMicrobatches: number;
  readonly observer: TrainingObserver;
  /** Bytes sent so far, by transport. */
  readonly bytesSent: () => Readonly<Record<string, number>>;
}

/** Who watches a training run. */
export interface TrainingObserver {
  step(metrics: StepMetrics): void;
  evaluated(step: number, evalLoss: number): void;
  checkpoint(step: number, path: string): void;
  incident(step: number, remedy: string, evidence: string): void;
}

/** How long a role may take for its part of a step; native code cannot be asked in between. */
const patienceMs = 15 * 60_000;

export class Trainer implements Actor<Messages> {
  private readonly parts: TrainerParts;
  private readonly scope: ActorScope;
  private finished: Reply<TrainingOutcome> | null = null;
  private isInterrupted = false;
  private step = 0;
  private updateStep = 0;
  private skipped = 0;
  private evalLoss: number | null = null;
  private checkpointed = -1;

  constructor(parts: TrainerParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
  }

  train({ firstStep, updateStep }: ArgsOf<Messages, 'train'>, ctx: Context): Reply<TrainingOutcome> {
    this.step = firstStep;
    this.updateStep = updateStep;
    this.checkpointed = firstStep;
    this.finished = ctx.defer<TrainingOutcome>();
    this.scope.ref(trainerProtocol, trainerAddress).tell.next();
    return this.finished;
  }

  interrupt(): void {
    this.isInterrupted = true;
  }

  async next(): Promise<void> {
    try {
      await this.takeStep();
    } catch (error) {
      this.finished?.reject(error);
      this.finished = null;
    }
  }

  private async takeStep(): Promise<void> {
    const { training, checkpoint } = this.parts.topology;
    const isLast = this.step >= training.steps;
    if (!isLast && !this.isInterrupted) {
      const metrics = await this.trainStep();
      this.step++;
      const isEnd = this.step === training.steps;
      const isEvaluated = training.eval_interval > 0 && (isEnd || this.step % training.eval_interval === 0);
      if (isEvaluated) this.evalLoss = await this.evaluate();
      // A skipped batch has no finite numbers to log; it is an event.
      if (this.skipped === 0) {
        this.parts.observer.step(
          isEvaluated && this.evalLoss !== null ? { ...metrics, eval_loss: this.evalLoss } : metrics,
        );
      }
      if (isEvaluated && this.evalLoss !== null) this.parts.observer.evaluated(this.step, this.evalLoss);
      if (checkpoint.interval > 0 && this.step % checkpoint.interval === 0) await this.writeCheckpoint();
      this.scope.ref(trainerProtocol, trainerAddress).tell.next();
      return;
    }
    if (this.checkpointed !== this.step) await this.writeCheckpoint();
    this.finished?.resolve({ status: isLast ? 'done' : 'interrupted', step: this.step, evalLoss: this.evalLoss });
    this.finished = null;
  }

  private async trainStep(): Promise<StepMetrics> {
    const { topology, mesh, decisions, bytesSent } = this.parts;
    const { step } = this;
    const startMs = this.scope.clock.now();
    const before = bytesSent();
    const { micro_batches } = topology.parallelism;
    for (const { pipelineRank, dataRank } of mesh.stages) {
      const microbatches = Array.from({ length: micro_batches }, (_, i) =>
        globalMicrobatch(dataRank, micro_batches, i),
      );
      this.stage(pipelineRank, dataRank).tell.open({ mode: 'train', step, microbatches, prompt: null });
    }
    const votes = await Promise.all(this.roles().map((role) => this.prepare(role, 'train')));
    const found = tally(step, votes, mesh.globalMicrobatches);
    const decision = decisions.decide(this.propose(found));
    await Promise.all(this.roles().map((role) => this.apply(role, decision)));
    if (decision.verdict === 'commit') this.updateStep = decision.updateStep;
    this.skipped = decision.verdict === 'skip' ? this.skipped + 1 : 0;

    const stepMs = this.scope.clock.now() - startMs;
    const tokens = topology.training.global_batch_size * topology.training.sequence_length;
    const sent = Object.entries(bytesSent()).map(([name, bytes]) => [name, bytes - (before[name] ?? 0)] as const);
    return {
      step: step + 1,
      loss: found.loss,
      aux_loss: found.auxLoss,
      z_loss: found.zLoss,
      lr: decision.lr,
      grad_norm: found.gradNorm,
      tokens,
      tokens_per_second: (tokens / stepMs) * 1000,
      step_ms: stepMs,
      routed: found.routed,
      processed: found.processed,
      spilled: found.spilled,
      dropped: found.dropped,
      expert_load: found.load,
      bytes_sent: Object.fromEntries(sent),
      nodes: topology.cluster.nodes,
      workers: topology.cluster.nodes * topology.cluster.workers_per_node,
    };
  }

  /** The decision this step deserves; a replayed step keeps the one recorded. Throws `Unstable`. */
  private propose({ loss, gradNorm }: Tally): Decision {
    const { topology, decisions, observer } = this.parts;
    const recorded = decisions.find(this.step);
    if (recorded !== null) return recorded;
    const judgement = judge({ step: this.step, loss, gradNorm }, this.skipped);
    if (judgement.verdict !== 'commit') observer.incident(this.step + 1, judgement.verdict, judgement.evidence);
    if (judgement.verdict === 'stop') throw new Unstable(this.step + 1, judgement.evidence);
    return {
      gen: this.scope.gen,
      step: this.step,
      verdict: judgement.verdict,
      updateStep: this.updateStep + (judgement.verdict === 'commit' ? 1 : 0),
      lr: learningRate(this.step, topology.training.steps, topology.optimizer),
      clip: clipScale(gradNorm, topology.optimizer.grad_clip),
    };
  }

  /** Mean held-out loss in nats a token, at the evaluation's capacity factor and without noise. */
  private async evaluate(): Promise<number | null> {
    const { mesh, evaluationMicrobatches, topology } = this.parts;
    if (evaluationMicrobatches === 0) return null;
    const all = Array.from({ length: evaluationMicrobatches }, (_, i) => i);
    const stages = mesh.stages.map(({ pipelineRank, dataRank }) => {
      const microbatches = all.filter((i) => i % topology.parallelism.data_parallel === dataRank);
      const stage = this.stage(pipelineRank, dataRank);
      stage.tell.open({ mode: 'evaluate', step: this.step, microbatches, prompt: null });
      return stage;
    });
    const votes = await Promise.all(stages.map((stage) => this.prepare(stage, 'evaluate')));
    return meanLoss(votes.flatMap((vote) => vote.losses));
  }

  private async writeCheckpoint(): Promise<void> {
    const args = { step: this.step, updateStep: this.updateStep, evalLoss: this.evalLoss };
    const checkpointer = this.scope.ref(checkpointerProtocol, checkpointerAddress);
    const { path } = await checkpointer.ask.write(args, { timeoutMs: patienceMs });
    this.checkpointed = this.step;
    this.parts.observer.checkpoint(this.step, path);
  }

  private stage(pipelineRank: number, dataRank: number): Ref<typeof stageProtocol> {
    return this.scope.ref(stageProtocol, stageAddress(pipelineRank, dataRank));
  }

  private roles(): Role[] {
    return rolesOf(this.scope, this.parts.mesh);
  }

  private prepare(role: Role, mode: 'train' | 'evaluate'): Promise<Vote> {
    return role.ask.prepare({ mode, step: this.step }, { timeoutMs: patienceMs });
  }

  private apply(role: Role, decision: Decision): Promise<void> {
    return role.ask.apply(decision, { timeoutMs: patienceMs });
  }
}
