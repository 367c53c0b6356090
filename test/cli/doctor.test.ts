/** The doctor as a user calls it, on the machine that runs the tests: whatever that is, what it says has a shape. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { checkNames, type CheckName } from '../../src/cli/checks/finding.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const findingSchema = z.strictObject({
  check: z.enum(checkNames),
  mark: z.enum(['ok', 'warn', 'fail']),
  found: z.string().regex(/^[^\n]+$/),
  mend: z
    .string()
    .regex(/^[^\n]+$/)
    .nullable(),
  facts: z.record(z.string(), z.unknown()),
});
const reportSchema = z.strictObject({ can_run: z.boolean(), findings: z.array(findingSchema) });

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'troupe-doctor-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function doctor(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, 'doctor', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1', NODE_OPTIONS: '' },
  });
  return { stdout, stderr, exitCode: status };
}

function report(env?: NodeJS.ProcessEnv) {
  const { stdout, stderr, exitCode } = doctor(['--json'], env);
  const { can_run, findings } = reportSchema.parse(JSON.parse(stdout));
  const find = (name: CheckName) => findings.find(({ check }) => check === name);
  return { stderr, exitCode, can_run, findings, find };
}

test('as JSON it is one object: every check in its order, and whether a run can start', () => {
  const { stderr, exitCode, can_run, findings, find } = report();
  expect(stderr).toBe('');
  expect(findings.map(({ check }) => check)).toEqual([...checkNames]);
  expect(can_run).toBe(findings.every(({ mark }) => mark !== 'fail'));
  expect(exitCode).toBe(can_run ? 0 : 1);
  for (const { mark, mend } of findings) expect(mend === null).toBe(mark === 'ok');
  expect(find('node')).toMatchObject({ mark: 'ok', facts: { version: process.versions.node } });
  expect(find('cpu')).toMatchObject({ mark: 'ok', facts: { correct: true } });
  expect(find('cpu')?.facts.gflops).toBeGreaterThan(0);
  expect(find('disk')?.facts.path).toContain(join(folder, 'runs'));
});

test('for a person it is a line a check, and a verdict', () => {
  const { stdout, stderr } = doctor([]);
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n');
  const rows = lines.filter((line) => /^(ok  |warn|fail)  [a-z]/.test(line));
  expect(rows.map((row) => row.slice(6).split(' ')[0])).toEqual([...checkNames]);
  expect(lines.at(-1)).toMatch(/^a run can/);
  expect(stdout).not.toContain('\u001b');
});

test('without nats-server it warns, with the command, and a run can start all the same', () => {
  const { PATH: _, ...env } = process.env;
  const { find, exitCode, findings } = report(env);
  expect(find('nats-server')).toMatchObject({
    mark: 'warn',
    found: 'none on PATH: one node trains without it',
    mend: expect.stringMatching(/^run '.*install nats-server'/) as string,
    facts: { path: null, version: null, jetstream: false },
  });
  expect(exitCode).toBe(findings.some(({ mark }) => mark === 'fail') ? 1 : 0);
});

test('it leaves no file behind', () => {
  expect(readdirSync(folder)).toEqual([]);
});
