/**
 * Generated programs of two trees, side by side: every program that the runs compiled, as ops, WebAssembly text, ONNX graph
 * or WGSL. A change that is not meant to touch them has an empty diff.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface ProgramDiff {
  readonly programs: number;
  /** As `git diff` writes it; empty where all are equal. */
  readonly text: string;
}

export function diffPrograms(before: string, after: string): ProgramDiff {
  for (const folder of [before, after]) dropBinaries(folder);
  const args = ['diff', '--no-index', '--no-color', '--stat=100', '--patch', before, after];
  const { stdout, status, stderr } = spawnSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (status !== 0 && status !== 1) throw new Error(`git diff: ${stderr}`);
  return { programs: readdirSync(after).length, text: stdout };
}

/** The ONNX models as onnxruntime gets them; beside each lies its text. */
function dropBinaries(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith('.onnx')) rmSync(join(folder, name));
}
