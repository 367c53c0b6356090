/**
 * The checkpointer gathers the state of every role, one shard a role, and makes it a checkpoint, complete or absent.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  CheckpointIo,
  formatName,
  type CheckpointStore,
  type ManifestFields,
  type NewestAndOlder,
} from '../../checkpoints/index.ts';
import { tagOf, type Actor, type ActorScope, type ArgsOf, type Context, type Reply } from '../../runtime/index.ts';
import { LogIo, RunDirectoryGone } from '../../telemetry/index.ts';
import { agentAddress } from '../placement/addresses.ts';
import type { SystemHolders } from '../placement/system_holders.ts';
import { paramsDigest } from '../parameters/params_digest.ts';
import { agentProtocol } from '../protocol/agent.ts';
import type { checkpointerProtocol } from '../protocol/trainer.ts';
import { roleShards, writeRoleShards } from './role_shards.ts';

type Messages = typeof checkpointerProtocol;

export interface CheckpointerParts {
  /** All that hold parameters, by system, wherever they are now. */
  readonly holders: () => readonly SystemHolders[];
  readonly store: CheckpointStore;
  readonly keep: number;
  /** What every checkpoint of the run says about it. */
  readonly fields: Omit<ManifestFields, 'updateStep' | 'lossScale' | 'extra'>;
  /** Makes durable what the logs have of the steps before, so that no checkpoint is ever beyond them. Throws `LogIo`. */
  readonly syncLogs: () => void;
  /** Hears the names of checkpoints that were removed early, for a disk that is full. */
  readonly onPruned: (names: readonly string[]) => void;
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
      return await this.writeWithRoom(args);
    } catch (error) {
      const isOfDisk = error instanceof CheckpointIo || error instanceof LogIo;
      // A node was lost, or the gen is over: there is no such checkpoint, and whoever wanted it is told.
      if (!isOfDisk && !['NoSuchActor', 'WrongGen'].includes(tagOf(error))) throw error;
      const reply = ctx.defer<Written>();
      reply.reject(error instanceof CheckpointIo ? await this.withWayOn(error) : error);
      return reply;
    }
  }

  /** On a full disk, once more without those checkpoints that would go after this one anyway. */
  private async writeWithRoom(args: ArgsOf<Messages, 'write'>): Promise<Written> {
    const { store, keep, onPruned } = this.parts;
    try {
      return await this.writeOnce(args);
    } catch (error) {
      if (!(error instanceof CheckpointIo && error.isFull)) throw error;
      // Where that fails, the disk is as full as it was.
      const removed = await store.makeRoom(keep).catch(() => []);
      if (removed.length === 0) throw error;
      onPruned(removed.map(formatName));
      return await this.writeOnce(args);
    }
  }

  private async writeOnce({ step, evalLoss, ...counts }: ArgsOf<Messages, 'write'>): Promise<Written> {
    const { store, keep, fields } = this.parts;
    const holders = this.parts.holders();
    const known = (await store.list()).find((name) => name.step === step && name.gen === this.scope.gen);
    const digest = await paramsDigest(this.scope, holders, patienceMs);
    // A step is checkpointed once a gen: asked again, the checkpoint that is there answers.
    if (known !== undefined) {
      // A full disk may have kept the pointer from it.
      await store.pointAt(known);
      return { path: `${store.dir}/${formatName(known)}`, digest };
    }
    const writer = await store.begin(step, this.scope.gen);
    try {
      await writeRoleShards(writer, roleShards(holders), async (system, parameters) => {
        const agent = this.scope.ref(agentProtocol, agentAddress(system));
        return (await agent.ask.save({ parameters }, { timeoutMs: patienceMs })).tensors;
      });
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
  private async withWayOn({ path, cause, code }: CheckpointIo): Promise<Error> {
    const { store } = this.parts;
    if (code === 'ENOENT' && !existsSync(store.dir)) {
      const runDir = dirname(store.dir);
      return new RunDirectoryGone(existsSync(runDir) ? store.dir : runDir);
    }
    const newest = await store.newestValid().catch(() => null);
    const from =
      newest === null
        ? 'it begins anew, as no checkpoint was written yet'
        : `it goes on from step ${newest.checkpoint.name.step}`;
    const then = `, then launch again with --resume: ${from}`;
    return new CheckpointIo(path, cause, { forSpace: newest === null ? '' : adviceForSpace(newest), then });
  }
}

/**
 * What else helps on a full disk. A run keeps `keep - 1` checkpoints while it writes the next, but at least one; so a
 * lower `keep` frees the room of one checkpoint as long as there are two.
 */
function adviceForSpace({ checkpoint, older }: NewestAndOlder): string {
  if (older.length > 0) return ` or lower checkpoint.keep to ${older.length + 1}`;
  const bytes = checkpoint.manifest.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `: a checkpoint takes ${size}, and the one there is stays until the next is complete, whatever checkpoint.keep is`;
}
