/**
 * The routing recorder of one router writes the choices of its microbatches to a file that only it writes. Lines of a pass are
 * handed to the system in one call when the pass is over, before its outcome is known to anybody: so no checkpoint is beyond them,
 * and nobody waits for a disk in the midst of a pass.
 */
import { statSync } from 'node:fs';
import type { Unit } from '../actors/protocol/pass.ts';
import { codeOf, diskRemedy } from '../system_error.ts';
import { AppendedFile, LogIo } from '../telemetry/index.ts';
import { isOnRecord, lineOf, type RecordHeader } from './routing_format.ts';

export class RoutingRecorder {
  private readonly path: string;
  private readonly header: RecordHeader;
  private noted: { readonly unit: Unit; readonly line: string }[] = [];
  /** Last step that is in the file, by kind and data: a step that is made again in another gen is the same choices again. */
  private readonly written = new Map<string, number>();
  private file: AppendedFile | null = null;
  private hasFailed = false;

  constructor(path: string, header: RecordHeader) {
    this.path = path;
    this.header = header;
  }

  note(unit: Unit, choices_RP: Int32Array): void {
    if (!this.hasFailed && isOnRecord(unit)) this.noted.push({ unit, line: lineOf({ unit, choices_RP }) });
  }

  /** Why nothing is written any more, if that is new. */
  flush(): string | null {
    const { noted } = this;
    this.noted = [];
    const fresh = noted.filter(({ unit }) => unit.step > (this.written.get(seriesOf(unit)) ?? -1));
    if (fresh.length === 0) return null;
    try {
      this.opened().append(fresh.map(({ line }) => line).join('\n'));
    } catch (error) {
      if (!(error instanceof LogIo)) throw error;
      this.hasFailed = true;
      const code = codeOf(error.cause);
      const [{ unit }] = fresh;
      const last =
        unit.kind === 'train' ? `before step ${unit.step + 1}` : `before the evaluation after step ${unit.step}`;
      return `moe.record: ${this.path}: cannot be written (${code}); the record ends ${last}, and the run goes on; ${diskRemedy(code)}, and resume from a checkpoint before that to have it whole`;
    }
    for (const { unit } of fresh) this.written.set(seriesOf(unit), unit.step);
    return null;
  }

  drop(): void {
    this.noted = [];
  }

  /** What is in the file beyond `dataStep` steps is cut by whoever has the roles go back there, and is written again. */
  rewind(dataStep: number): void {
    for (const [series, step] of this.written) {
      // Training steps are numbered from 0, an evaluation by the steps that are done before it.
      const last = series.startsWith('train/') ? dataStep - 1 : dataStep;
      if (step > last) this.written.set(series, last);
    }
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  /** Opened when there is something to write: by then a run that goes on has cut what is beyond its checkpoint. */
  private opened(): AppendedFile {
    if (this.file !== null) return this.file;
    const file = new AppendedFile(this.path);
    this.file = file;
    if (statSync(this.path).size === 0) file.append(JSON.stringify(this.header));
    return file;
  }
}

const seriesOf = ({ kind, data }: Unit): string => `${kind}/${data}`;
