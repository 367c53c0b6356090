/**
 * The checkpointer: gathers the state of every role, one shard an actor, and makes it a checkpoint, complete or absent.
 */
import { createHash } from 'node:crypto';
import {
  f32Tensor,
  formatName,
  type CheckpointStore,
  type ManifestFields,
  type TensorBytes,
} from '../checkpoints/index.ts';
import { floats } from '../kernels/dtype.ts';
import type { Actor, ActorScope, ArgsOf, TensorPayload } from '../runtime/index.ts';
import type { Mesh } from '../topology/index.ts';
import { dataOf } from './protocol/pass.ts';
import type { checkpointerProtocol } from './protocol/trainer.ts';
import { rolesOf } from './roles.ts';

type Messages = typeof checkpointerProtocol;

export interface CheckpointerParts {
  readonly mesh: Mesh;
  readonly store: CheckpointStore;
  readonly keep: number;
  /** What every checkpoint of the run says about it. */
  readonly fields: Omit<ManifestFields, 'updateStep' | 'extra'>;
}

const patienceMs = 15 * 60_000;

export class Checkpointer implements Actor<Messages> {
  private readonly parts: CheckpointerParts;
  private readonly scope: ActorScope;

  constructor(parts: CheckpointerParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
  }

  async write({ step, updateStep, evalLoss }: ArgsOf<Messages, 'write'>): Promise<{ path: string; digest: string }> {
    const { store, keep, fields, mesh } = this.parts;
    const known = (await store.list()).find((name) => name.step === step && name.gen === this.scope.gen);
    const digest = await this.digest();
    // A step is checkpointed once a gen: asked again, the checkpoint that is there answers.
    if (known !== undefined) return { path: `${store.dir}/${formatName(known)}`, digest };
    const writer = await store.begin(step, this.scope.gen);
    try {
      for (const role of rolesOf(this.scope, mesh)) {
        const { tensors } = await role.ask.save(undefined, { timeoutMs: patienceMs });
        const entries = Object.entries(tensors);
        if (entries.length === 0) continue;
        await writer.shard(role.address.replaceAll('/', '-'), entries.map(toBytes));
      }
      await writer.commit({ ...fields, updateStep, extra: { params_digest: digest, eval_loss: evalLoss } });
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await store.prune(keep);
    return { path: writer.path, digest };
  }

  /** SHA-256 over the names and digests of all parameters, in the order of their names. */
  private async digest(): Promise<string> {
    const parts = await Promise.all(
      rolesOf(this.scope, this.parts.mesh).map((role) => role.ask.digest(undefined, { timeoutMs: patienceMs })),
    );
    const lines = parts.flatMap((part) => Object.entries(part).map(([name, sha]) => `${name} ${sha}\n`)).sort();
    return createHash('sha256').update(lines.join('')).digest('hex');
  }
}

function toBytes([name, tensor]: [string, TensorPayload]): TensorBytes {
  return f32Tensor(name, tensor.shape, floats('checkpoint', dataOf(tensor)));
}
