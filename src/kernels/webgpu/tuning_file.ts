/**
 * What tuning found out, kept for later starts: a file with the choices of each adapter and driver. It saves time and decides
 * nothing else, so one that cannot be read is as good as none, and is written anew.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Choices } from './tuning.ts';

/** In this package's folder, beside what else it keeps. */
const defaultPath = fileURLToPath(new URL('../../../.cache/tuning.json', import.meta.url));

const contentSchema = z.record(z.string(), z.record(z.string(), z.string()));

export class TuningFile {
  private readonly path: string;

  constructor(path = defaultPath) {
    this.path = path;
  }

  /** Of devices of `numericsClass`. */
  choices(numericsClass: string): Choices {
    return this.content()[numericsClass] ?? {};
  }

  /** Adds to what is there. Where the folder cannot be written nothing is kept. */
  keep(numericsClass: string, choices: Choices): void {
    const content = this.content();
    content[numericsClass] = { ...content[numericsClass], ...choices };
    const written = `${this.path}.${process.pid}`;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(written, JSON.stringify(content, null, 2));
      // Other workers may read it just now.
      renameSync(written, this.path);
    } catch {
      // A folder that is not ours: it will be found out again.
    }
  }

  private content(): Record<string, Record<string, string>> {
    try {
      return contentSchema.parse(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch {
      return {};
    }
  }
}
