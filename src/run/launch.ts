/**
 * A launch checks that a server can be had, takes a run directory, trains, and gives the directory back. `troupe
 * launch` makes one beneath its screen, and so does a program that uses Troupe as a library.
 */
import { resolve } from 'node:path';
import { RunDirectory } from '../telemetry/index.ts';
import { dumpTopology, rebaseTopology, type Topology } from '../topology/index.ts';
import { train } from './train.ts';
import type { RunEvent, RunOutcome } from './run_port.ts';
import { checkRunServer } from './run_server.ts';
import { checkReplayFolder } from './routing_source.ts';
import { checkStart } from './starting_point.ts';

export interface LaunchOptions {
  /** What relative paths and globs in the topology start from; default: the working directory. */
  readonly baseDir?: string;
  /** Default: a new `runs/<name>-<time>` in the working directory. */
  readonly runDir?: string;
  /** Go on from the newest checkpoint in `runDir`. */
  readonly resume?: boolean;
  /**
   * SHA-256 of the module at `model.sublayers`, null where there is none, from somebody who has looked at it: where it has
   * another one by now, the launch throws `BadSublayers` and nothing of it runs. Default: whatever is there.
   */
  readonly sublayersDigest?: string | null;
  /** When aborted, the run writes a checkpoint and ends as `interrupted`. */
  readonly signal?: AbortSignal;
  /** Told of every step, evaluation, checkpoint, as they happen. */
  readonly observe?: (event: RunEvent) => void;
}

/**
 * Trains what the topology describes, on the threads and processes that it asks for, and returns how it ended.
 *
 *     const { evalLoss, runDir } = await launch(topology, { baseDir: import.meta.dirname });
 *
 * Throws `RunDirectoryRefused`, `NoCheckpoint`, `NatsServerMissing`, `EmptyCorpus`, `RunFailed` ...: every error of a run, each with its
 * `tag` and one line; a worker with too little memory is `OutOfSliceMemory` here, where the command asks the plan first. No
 * process is left, whatever happens.
 */
export async function launch(topology: Topology, options: LaunchOptions = {}): Promise<RunOutcome> {
  const { baseDir = '.', runDir, resume = false, sublayersDigest, observe = () => undefined } = options;
  const { signal = new AbortController().signal } = options;
  const from = resolve(baseDir);
  const { name } = topology;
  const place = { directory: runDir ?? null, parent: 'runs', name, resume, nowMs: Date.now() };
  RunDirectory.check(place);
  // A run that goes on has its own parameters: what it began with may be gone.
  if (!resume) await checkStart(topology, from);
  checkReplayFolder(topology, from);
  await checkRunServer(topology, from);
  const directory = RunDirectory.open(place);
  try {
    const config = dumpTopology(rebaseTopology(topology, from, resolve(directory.path)));
    // A resume that is refused must leave the config of the run that the directory holds.
    if (!resume) directory.writeConfig(config);
    return await train({
      topology,
      baseDir: from,
      runDir: directory.path,
      resume,
      ...(sublayersDigest === undefined ? {} : { sublayersDigest }),
      signal,
      observe: (event) => {
        if (event.kind === 'ready' && resume) directory.writeConfig(config);
        observe(event);
      },
    });
  } catch (error) {
    // Something that failed while a failure was cleared up after: the first is the cause.
    throw error instanceof SuppressedError ? error.suppressed : error;
  } finally {
    directory.release();
  }
}
