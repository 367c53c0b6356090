/**
 * A run trains in stretches. In each, roles have the state of one step and train on from there; a stretch ends when
 * training does, when a node is lost, or when roles are to be placed otherwise. Then the cluster is formed anew, the roles
 * get the state of the newest checkpoint, the logs are cut to it, and the next stretch begins. A step gives the same bits
 * whenever it is made, so the curve is the one of a run that nothing happened to.
 */
import type { Checkpoint, CheckpointStore } from '../checkpoints/index.ts';
import { NodeDied } from '../runtime/cluster/index.ts';
import { tagOf } from '../runtime/index.ts';
import { trainerAddress } from '../actors/placement/addresses.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import { trainerProtocol, type TrainingOutcome } from '../actors/protocol/trainer.ts';
import type { RunLogs } from './run_logs.ts';
import type { RunEvent } from './run_port.ts';
import { cutRecord } from './routing_source.ts';
import type { RoutingSource } from './open_routing.ts';
import type { Run } from './run.ts';
import { begin, type StartingPoint } from './starting_point.ts';
import { takeUp } from './take_up.ts';

export interface StretchesParts {
  readonly run: Run;
  readonly runSpec: RunSpec;
  readonly store: CheckpointStore;
  readonly logs: RunLogs;
  readonly routing: RoutingSource | null;
  /** What the parameters of a new run begin with; null: initial values. */
  readonly start: StartingPoint | null;
  readonly observe: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** How training ended for good. */
export interface Ended extends TrainingOutcome {
  readonly status: Exclude<TrainingOutcome['status'], 'paused'>;
}

/** The end of a stretch: how training ended, or why it goes on otherwise. */
type End =
  | { readonly kind: 'trained'; readonly outcome: Ended }
  | { readonly kind: 'lost'; readonly error: Error }
  | { readonly kind: 'wanted'; readonly what: string };

/** A time limit in ms that is longer than any run. */
const forever = 2 ** 31 - 1;

/** How long after a lost ask it may take until it is known that its node is. */
const noticedMs = 30_000;

/** Trains from `found`, whose state the roles have, to the end, through whatever happens to the cluster. Throws `RunFailed` ... */
export async function trainInStretches(parts: StretchesParts, found: Checkpoint | null): Promise<Ended> {
  const { run, logs, signal } = parts;
  const trainer = run.system.ref(trainerProtocol, trainerAddress);
  const interrupt = (): void => trainer.tell.interrupt();
  signal.addEventListener('abort', interrupt);
  try {
    let ready: Promise<Checkpoint | null> = Promise.resolve(found);
    for (;;) {
      const end = await run.unlessOver(stretch(parts, ready));
      if (end.kind === 'trained') return end.outcome;
      const isLoss = end.kind === 'lost';
      const startMs = performance.now();
      const what = isLoss ? deathOf(end.error) : end.what;
      logs.events.append(isLoss ? 'lost_node' : 'placing', { what });
      const renewed = await run.unlessOver(run.cluster.reform());
      // State that was on its way when the stretch ended is of a gen that is over.
      await ready.catch(() => undefined);
      const holders = isLoss ? run.holders : run.holders.filter(({ system }) => renewed.includes(system));
      ready = restored(parts, holders).then((checkpoint) => {
        placed(parts, { step: checkpoint?.manifest.step ?? 0, ms: performance.now() - startMs, renewed });
        return checkpoint;
      });
      // Heard where it is waited for.
      ready.catch(() => undefined);
    }
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** One stretch, from when its state is `ready`. */
async function stretch({ run, signal }: StretchesParts, ready: Promise<Checkpoint | null>): Promise<End> {
  const { lost, wanted } = run.cluster;
  const trainer = run.system.ref(trainerProtocol, trainerAddress);
  let isOver = false;
  const isLost = lost.then((error): End => ({ kind: 'lost', error }));
  const trained = ready.then(async (from): Promise<End | null> => {
    // It was over before its state was there.
    if (isOver) return await isLost;
    if (signal.aborted) trainer.tell.interrupt();
    const { status, ...outcome } = await trainer.ask.train(startOf(from), { timeoutMs: forever });
    return status === 'paused' ? null : { kind: 'trained', outcome: { ...outcome, status } };
  });
  const ended = trained.catch((error: unknown) => isLostFor(error, isLost, run));
  const isWanted = wanted.then((what): End => ({ kind: 'wanted', what }));
  try {
    const first = await Promise.race([isLost, ended, isWanted]);
    if (first !== null && first.kind !== 'wanted') return first;
    trainer.tell.pause();
    return (await Promise.race([isLost, ended])) ?? (await isWanted);
  } finally {
    isOver = true;
  }
}

/** Who asked somebody on a node that is lost hears of that first. */
async function isLostFor(error: unknown, isLost: Promise<End>, { system }: Run): Promise<End> {
  if (!['NoSuchActor', 'WrongGen'].includes(tagOf(error))) throw error;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = system.clock.after(noticedMs, () => reject(error));
  try {
    return await Promise.race([isLost, late]);
  } finally {
    timer.cancel();
  }
}

/** Gives `holders` the state of the newest checkpoint, or what the run began with, and cuts the logs to it. */
async function restored(parts: StretchesParts, holders: readonly SystemHolders[]): Promise<Checkpoint | null> {
  const { run, runSpec, store, logs, routing, start } = parts;
  const checkpoint = (await store.newestValid())?.checkpoint ?? null;
  const taken = { cluster: run.cluster, system: run.system, holders };
  if (checkpoint !== null) await takeUp(taken, checkpoint, runSpec.topology);
  else if (start !== null) await begin(taken, start);
  logs.cutTo(checkpoint?.manifest ?? { step: 0, updateStep: 0 });
  if (routing?.record != null) await cutRecord(routing.record, checkpoint?.manifest.step ?? 0);
  return checkpoint;
}

/** What is known of a death; its remedy is what happens here. */
const deathOf = (error: Error): string => (error instanceof NodeDied ? error.how : error.message);

/** Notes that all roles are in their places again, with the state of a step. */
function placed(
  { run, logs, observe }: StretchesParts,
  { step, ms, renewed }: { readonly step: number; readonly ms: number; readonly renewed: readonly string[] },
): void {
  const { gen } = run.system;
  const systems = renewed.join(', ');
  logs.events.append('placed', { gen, step, ms, systems });
  observe({ kind: 'notice', text: `going on from step ${step} in gen ${gen}, after ${(ms / 1000).toFixed(1)} s` });
}

/** What the trainer has to know of the step that it begins with. */
function startOf(found: Checkpoint | null) {
  const { step: firstStep = 0, updateStep = 0, lossScale } = found?.manifest ?? {};
  return { firstStep, updateStep, isNew: found === null, ...(lossScale === undefined ? {} : { lossScale }) };
}
