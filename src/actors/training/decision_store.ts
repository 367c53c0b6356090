/**
 * A decision store is where a step is decided: what is written here first stands, whoever asks again. It is a port,
 * with a file for one process and a twin in memory for tests; with several nodes it is a key-value store
 * (`KvDecisionStore`).
 */
import { existsSync, fsyncSync, truncateSync } from 'node:fs';
import { AppendedFile, readLog, writing } from '../../telemetry/index.ts';
import { decisionSchema, type Decision } from '../protocol/parameters.ts';

export interface DecisionStore {
  /** The decision about `step`, if there is one. */
  find(step: number): Promise<Decision | null>;
  /** The highest step that is decided; null where none is. */
  newest(): Promise<number | null>;
  /** Records `proposed` unless its step is decided already; resolves with the decision that stands, once it is durable. */
  decide(proposed: Decision): Promise<Decision>;
}

/** What of a decision cannot be, whoever has recorded it; null if nothing. */
export function faultOf({ gen, step, updateStep }: Decision): string | null {
  if (gen < 0 || step < 0) return 'no decision of a step in a gen';
  return updateStep < 0 || updateStep > step + 1 ? `no decision that makes at most ${step + 1} updates` : null;
}

/** The highest of `steps`, of which there may be many; null where there are none. */
export function highestOf(steps: Iterable<number>): number | null {
  let highest: number | null = null;
  for (const step of steps) if (highest === null || step > highest) highest = step;
  return highest;
}

export class MemoryDecisionStore implements DecisionStore {
  private readonly decisions = new Map<number, Decision>();

  find(step: number): Promise<Decision | null> {
    return Promise.resolve(this.decisions.get(step) ?? null);
  }

  newest(): Promise<number | null> {
    return Promise.resolve(highestOf(this.decisions.keys()));
  }

  decide(proposed: Decision): Promise<Decision> {
    const standing = this.decisions.get(proposed.step) ?? proposed;
    this.decisions.set(proposed.step, standing);
    return Promise.resolve(standing);
  }
}

/** The file was not written by a run, or is damaged before its last line. */
export class DamagedDecisions extends Error {
  readonly tag = 'DamagedDecisions';
  readonly exitCode = 1;
  constructor(path: string, line: number) {
    super(`${path}:${line}: not a decision; restore the file, or start a new run directory`);
    this.name = 'DamagedDecisions';
  }
}

/** One JSON line a decision, synced before it counts. A torn last line, left by a crash, was never a decision. */
export class FileDecisionStore implements DecisionStore {
  private readonly decided = new Map<number, Decision>();
  private readonly file: AppendedFile;

  /** Opens or creates the file. Throws `DamagedDecisions`, `LogIo`. */
  constructor(path: string) {
    const text = existsSync(path) ? readLog(path) : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    whole
      .split('\n')
      .slice(0, -1)
      .map((line, i) => parse(path, line, i + 1))
      .forEach((decision) => this.keep(decision));
    if (whole.length < text.length) writing(path, () => truncateSync(path, Buffer.byteLength(whole)));
    this.file = new AppendedFile(path);
  }

  find(step: number): Promise<Decision | null> {
    return Promise.resolve(this.decided.get(step) ?? null);
  }

  newest(): Promise<number | null> {
    return Promise.resolve(highestOf(this.decided.keys()));
  }

  async decide(proposed: Decision): Promise<Decision> {
    const standing = await this.find(proposed.step);
    if (standing !== null) return standing;
    this.file.append(JSON.stringify(proposed));
    writing(this.file.path, () => fsyncSync(this.file.descriptor));
    return this.keep(proposed);
  }

  close(): void {
    this.file.close();
  }

  /** Keeps a decision and returns the one that stands, which is the first about its step. */
  private keep(decision: Decision): Decision {
    const standing = this.decided.get(decision.step) ?? decision;
    this.decided.set(decision.step, standing);
    return standing;
  }
}

function parse(path: string, line: string, number: number): Decision {
  try {
    const decision = decisionSchema.parse(JSON.parse(line));
    if (faultOf(decision) === null) return decision;
  } catch {
    // Said below, by file and line.
  }
  throw new DamagedDecisions(path, number);
}
