/**
 * A checkpoint has one shard a role: a stage with its routers, a group of experts with all of them, as far as they answer for
 * what they hold. They are asked for a few parameters at a time, and for the next ones while those before are written.
 */
import { f32Tensor, type CheckpointWriter, type TensorBytes, type TensorHead } from '../../checkpoints/index.ts';
import { floats } from '../../kernels/dtype.ts';
import { freeAnswered, type TensorPayload } from '../../runtime/index.ts';
import type { Holding } from '../parameters/holding.ts';
import { batchesOf } from '../parameters/message_batches.ts';
import { storedNames, type RuleChoice } from '../parameters/rules.ts';
import { reportedBy, type SystemHolders } from '../placement/system_holders.ts';
import { dataOf } from '../protocol/pass.ts';

export interface RoleShard {
  /** The name of its file, without the ending. */
  readonly name: string;
  /** The system that hosts the role. */
  readonly system: string;
  readonly holdings: readonly Holding[];
  readonly optimizer: RuleChoice;
}

/** Asks a system for some of its parameters with their moments. */
export type Save = (system: string, parameters: string[]) => Promise<Readonly<Record<string, TensorPayload>>>;

/** The shards of a run, without roles that answer for nothing. */
export function roleShards(holders: readonly SystemHolders[]): RoleShard[] {
  return holders.flatMap((each) => {
    const byRole = Map.groupBy(each.holders, ({ role }) => role);
    return [...byRole].flatMap(([role, entries]) => {
      const holdings = entries.flatMap(reportedBy);
      const { optimizer } = entries[0].share;
      return holdings.length === 0 ? [] : [{ name: `run-${role}`, system: each.system, holdings, optimizer }];
    });
  });
}

/** Writes all shards, one after another. Throws `CheckpointIo`, `BadTensor`, and what `save` throws. */
export async function writeRoleShards(
  writer: CheckpointWriter,
  shards: readonly RoleShard[],
  save: Save,
): Promise<void> {
  const batches = shards.map(({ holdings }) => batchesOf(holdings));
  const asked = shards.flatMap(({ system }, i) => batches[i].map((batch) => () => save(system, namesOf(batch))));
  const answers = oneAhead(asked);
  for (const [i, shard] of shards.entries()) {
    await writer.stream(shard.name, headsOf(shard), tensorsOf(answers, batches[i].length));
  }
}

const namesOf = (holdings: readonly Holding[]): string[] => holdings.map(({ parameter }) => parameter.name);

const headsOf = ({ holdings, optimizer }: RoleShard): TensorHead[] =>
  holdings.flatMap((holding) =>
    storedNames(holding, optimizer).map((stored): TensorHead => ({
      name: stored,
      dtype: 'F32',
      shape: holding.parameter.shape,
    })),
  );

/** The tensors of the next `batches` answers; each is freed once the next one is taken. */
async function* tensorsOf(
  answers: AsyncIterator<Readonly<Record<string, TensorPayload>>, void>,
  batches: number,
): AsyncGenerator<TensorBytes, void, void> {
  for (let i = 0; i < batches; i++) {
    const { value } = await answers.next();
    for (const [name, tensor] of Object.entries(value ?? {})) {
      yield f32Tensor(name, tensor.shape, floats('checkpoint', dataOf(tensor)));
      freeAnswered(tensor);
    }
  }
}

/** What the calls come to, in order; the next one is made when the one before has been answered. */
async function* oneAhead<T>(calls: readonly (() => Promise<T>)[]): AsyncGenerator<T, void, void> {
  let next = calls.at(0)?.();
  for (let i = 1; next !== undefined; i++) {
    const value: T = await next;
    next = calls.at(i)?.();
    // Whether it fails is heard when it is its turn, unless nobody takes it any more.
    next?.catch(() => undefined);
    yield value;
  }
}
