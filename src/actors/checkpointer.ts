/**
 * The checkpointer: gathers the state of every role, one shard an actor, and makes it a checkpoint, complete or absent.
 */
import {
  CheckpointIo,
  f32Tensor,
  formatName,
  type CheckpointStore,
  type ManifestFields,
  type TensorBytes,
} from '../checkpoints/index.ts';
import { floats } from '../kernels/dtype.ts';
import { freeAnswered } from '../runtime/index.ts';
import type { Actor, ActorScope, ArgsOf, Context, Reply, TensorPayload } from '../runtime/index.ts';
import { LogIo } from '../telemetry/index.ts';
import { batchesOf, type Member } from './cast.ts';
import { paramsDigest } from './params_digest.ts';
import { expertProtocol } from './protocol/expert.ts';
import { dataOf } from './protocol/pass.ts';
import type { checkpointerProtocol } from './protocol/trainer.ts';

type Messages = typeof checkpointerProtocol;

export interface CheckpointerParts {
  /** Every actor that holds parameters. */
  readonly holders: readonly Member[];
  readonly store: CheckpointStore;
  readonly keep: number;
  /** What every checkpoint of the run says about it. */
  readonly fields: Omit<ManifestFields, 'updateStep' | 'lossScale' | 'extra'>;
  /** Makes durable what the logs have of the steps before, so that no checkpoint is ever beyond them. Throws `LogIo`. */
  readonly syncLogs: () => void;
}

interface Written {
  readonly path: string;
  readonly digest: string;
}

const patienceMs = 15 * 60_000;

export class Checkpointer implements Actor<Messages> {
  private readonly parts: CheckpointerParts;
  private readonly scope: ActorScope;

  constructor(parts: CheckpointerParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
  }

  /** A disk that refuses is no fault of this actor: it says so once, to whoever asked, and does not fail itself. */
  async write(args: ArgsOf<Messages, 'write'>, ctx: Context): Promise<Written | Reply<Written>> {
    try {
      return await this.writeOnce(args);
    } catch (error) {
      if (!(error instanceof CheckpointIo || error instanceof LogIo)) throw error;
      const reply = ctx.defer<Written>();
      reply.reject(error instanceof LogIo ? error : await this.withWayOn(error));
      return reply;
    }
  }

  private async writeOnce({ step, evalLoss, ...counts }: ArgsOf<Messages, 'write'>): Promise<Written> {
    const { store, keep, fields, holders } = this.parts;
    const known = (await store.list()).find((name) => name.step === step && name.gen === this.scope.gen);
    const digest = await paramsDigest(this.scope, holders, patienceMs);
    // A step is checkpointed once a gen: asked again, the checkpoint that is there answers.
    if (known !== undefined) return { path: `${store.dir}/${formatName(known)}`, digest };
    const writer = await store.begin(step, this.scope.gen);
    try {
      for (const { address, parameters } of holders) {
        // `save` is the same message for every role that holds parameters.
        const holder = this.scope.ref(expertProtocol, address);
        for (const [i, batch] of batchesOf(parameters).entries()) {
          const { tensors } = await holder.ask.save({ parameters: batch }, { timeoutMs: patienceMs });
          const entries = Object.entries(tensors);
          const shard = address.replaceAll('/', '-');
          if (entries.length > 0) await writer.shard(i === 0 ? shard : `${shard}-${i}`, entries.map(toBytes));
          for (const [, tensor] of entries) freeAnswered(tensor);
        }
      }
      this.parts.syncLogs();
      await writer.commit({ ...fields, ...counts, extra: { params_digest: digest, eval_loss: evalLoss } });
    } catch (error) {
      // Where even that fails, the next run removes what is left.
      await writer.abandon().catch(() => undefined);
      throw error;
    }
    await store.prune(keep);
    return { path: writer.path, digest };
  }

  /** The error with how to go on: from the newest checkpoint that is whole, if there is one. */
  private async withWayOn({ path, cause }: CheckpointIo): Promise<CheckpointIo> {
    const newest = await this.parts.store.openNewestValid().catch(() => null);
    const step = newest?.checkpoint.name.step;
    const from =
      step === undefined ? 'it begins anew, as no checkpoint was written yet' : `it goes on from step ${step}`;
    return new CheckpointIo(path, cause, `, then launch again with --resume: ${from}`);
  }
}

function toBytes([name, tensor]: [string, TensorPayload]): TensorBytes {
  return f32Tensor(name, tensor.shape, floats('checkpoint', dataOf(tensor)));
}
