/**
 * A decision store is where a step of a timeline is decided: what is written here first stands, whoever asks again. It is a port,
 * with a file for one process and a twin in memory for tests; with several nodes it is a key-value store
 * (`KvDecisionStore`).
 */
import { existsSync, fsyncSync, truncateSync } from 'node:fs';
import { AppendedFile, readLog, writing } from '../../telemetry/index.ts';
import { beginOf, storedDecisionSchema, type Decision } from '../protocol/decision.ts';

export interface DecisionStore {
  /** The decision about a step of a timeline, if there is one. */
  find(timeline: number, step: number): Promise<Decision | null>;
  /** The highest step of a timeline that is decided; null where none is. */
  newest(timeline: number): Promise<number | null>;
  /** Records `proposed` unless its step of its timeline is decided already; resolves with the decision that stands, once it is durable. */
  decide(proposed: Decision): Promise<Decision>;
}

/** What of a decision cannot be, whoever has recorded it; null if nothing. */
export function faultOf(decision: Decision): string | null {
  const { gen, timeline, step, updateStep, verdict } = decision;
  if (gen < 0 || step < 0 || timeline < 0) return 'no decision of a step in a gen';
  const begin = beginOf(decision);
  if (verdict === 'rollback' && (begin === null || begin < 0 || begin > step)) return 'no step to go back to';
  return updateStep < 0 || updateStep > step + 1 ? `no decision that makes at most ${step + 1} updates` : null;
}

/** The highest of `steps`, of which there may be many; null where there are none. */
export function highestOf(steps: Iterable<number>): number | null {
  let highest: number | null = null;
  for (const step of steps) if (highest === null || step > highest) highest = step;
  return highest;
}

/** Decisions by timeline and step, of which the first stands. */
class Decided {
  private readonly timelines = new Map<number, Map<number, Decision>>();

  find(timeline: number, step: number): Decision | null {
    return this.timelines.get(timeline)?.get(step) ?? null;
  }

  newest(timeline: number): number | null {
    return highestOf(this.timelines.get(timeline)?.keys() ?? []);
  }

  /** Keeps a decision and returns the one that stands. */
  keep(decision: Decision): Decision {
    const { timeline, step } = decision;
    const steps = this.timelines.get(timeline) ?? new Map<number, Decision>();
    const standing = steps.get(step) ?? decision;
    this.timelines.set(timeline, steps.set(step, standing));
    return standing;
  }
}

export class MemoryDecisionStore implements DecisionStore {
  private readonly decided = new Decided();

  find(timeline: number, step: number): Promise<Decision | null> {
    return Promise.resolve(this.decided.find(timeline, step));
  }

  newest(timeline: number): Promise<number | null> {
    return Promise.resolve(this.decided.newest(timeline));
  }

  decide(proposed: Decision): Promise<Decision> {
    return Promise.resolve(this.decided.keep(proposed));
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
  private readonly decided = new Decided();
  private readonly file: AppendedFile;

  /** Opens or creates the file. Throws `DamagedDecisions`, `LogIo`. */
  constructor(path: string) {
    const text = existsSync(path) ? readLog(path) : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    whole
      .split('\n')
      .slice(0, -1)
      .map((line, i) => parse(path, line, i + 1))
      .forEach((decision) => this.decided.keep(decision));
    if (whole.length < text.length) writing(path, () => truncateSync(path, Buffer.byteLength(whole)));
    this.file = new AppendedFile(path);
  }

  find(timeline: number, step: number): Promise<Decision | null> {
    return Promise.resolve(this.decided.find(timeline, step));
  }

  newest(timeline: number): Promise<number | null> {
    return Promise.resolve(this.decided.newest(timeline));
  }

  async decide(proposed: Decision): Promise<Decision> {
    const standing = await this.find(proposed.timeline, proposed.step);
    if (standing !== null) return standing;
    this.file.append(JSON.stringify(proposed));
    writing(this.file.path, () => fsyncSync(this.file.descriptor));
    return this.decided.keep(proposed);
  }

  close(): void {
    this.file.close();
  }
}

function parse(path: string, line: string, number: number): Decision {
  try {
    const decision = storedDecisionSchema.parse(JSON.parse(line));
    if (faultOf(decision) === null) return decision;
  } catch {
    // Said below, by file and line.
  }
  throw new DamagedDecisions(path, number);
}
