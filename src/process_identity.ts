/**
 * A process, told apart from every other that ever has its id: by its start, as the system counts it, and by the boot of
 * its machine. An id alone proves nothing: it is given out again, to another program, to a thread, or in a container to
 * the first process each time. A leaf that any folder may use.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { codeOf } from './system_error.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Its start, in the system's own form, which is compared and not read; null where the system does not tell. */
  readonly started: string | null;
  /** Of the machine since it was switched on; null where the system does not tell. */
  readonly boot: string | null;
  readonly host: string;
  /** The namespace that the id belongs to, such as that of a container; null where the system has none, or does not tell. */
  readonly pidSpace: string | null;
}

/**
 * `elsewhere`: it is on another machine, whose processes cannot be seen from here. `hidden`: nor can it in another namespace of
 * this one, which is that of a container beside this one, or of this very one before it was started again.
 */
export type Presence = 'alive' | 'gone' | 'elsewhere' | 'hidden';

/** What is known of a process of this machine. */
export interface ProcessFacts {
  readonly started: string;
  /** It has ended, and nobody has asked how. */
  readonly isZombie: boolean;
}

export function thisProcess(): ProcessIdentity {
  const { pid } = process;
  const started = factsOf(pid)?.started ?? null;
  return { pid, started, boot: bootOfThisMachine(), host: hostname(), pidSpace: pidSpaceOfThisProcess() };
}

export function presenceOf({ pid, started, boot, host, pidSpace }: ProcessIdentity): Presence {
  if (host !== hostname()) return 'elsewhere';
  const present = bootOfThisMachine();
  if (boot !== null && present !== null && boot !== present) return 'gone';
  const space = pidSpaceOfThisProcess();
  if (pidSpace !== null && space !== null && pidSpace !== space) return 'hidden';
  if (!hasId(pid)) return 'gone';
  const facts = factsOf(pid);
  if (facts === null) return 'alive';
  const isAnother = started !== null && facts.started !== started;
  return facts.isZombie || isAnother ? 'gone' : 'alive';
}

/**
 * Whether the process of this id may have written a file at that time (milliseconds since 1970) that has nothing but the
 * id: not if it is a thread, no Node, or younger than the file.
 */
export function mayHaveWritten(pid: number, writtenMs: number): boolean {
  if (pid === process.pid || !hasId(pid)) return false;
  if (process.platform !== 'linux') return true;
  const facts = factsOf(pid);
  if (facts === null) return true;
  if (facts.isZombie || isThread(pid) || !isNode(pid)) return false;
  const startMs = startMsOf(facts.started);
  return startMs === null || startMs <= writtenMs + CLOCK_SLACK_MS;
}

/** The time of the boot is known to the second, and a file's to the tick of the kernel. */
const CLOCK_SLACK_MS = 2000;
/** Clock ticks a second, as Linux counts them for all programs. */
const TICKS = 100;

/** Is there anything of this id: a process, a thread, or a process that has ended and is not waited for? */
function hasId(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not permitted to signal it: it is there, and belongs to somebody else.
    return codeOf(error) === 'EPERM';
  }
}

function bootOfThisMachine(): string | null {
  return process.platform === 'linux' ? (textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? null) : null;
}

function pidSpaceOfThisProcess(): string | null {
  if (process.platform !== 'linux') return null;
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

function factsOf(pid: number): ProcessFacts | null {
  if (process.platform === 'linux') return linuxFacts(textOf(`/proc/${pid}/stat`));
  return process.platform === 'win32' ? null : psFacts(pid);
}

/** From proc_pid_stat(5): the state is the first field after the name, the start the twentieth, in ticks since the boot. */
function linuxFacts(stat: string | null): ProcessFacts | null {
  // The name, in brackets, may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields?.[19];
  return fields === undefined || started === undefined ? null : { started, isZombie: /^[ZXx]$/.test(fields[0]) };
}

/** Of a process, from `ps`, which macOS and the BSDs have: state and start, in the words of no language and no time zone. */
export function psFacts(pid: number): ProcessFacts | null {
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  });
  if (status !== 0) return null;
  const [state, ...start] = stdout.trim().split(/\s+/);
  return start.length === 0 ? null : { started: start.join(' '), isZombie: state.startsWith('Z') };
}

function isThread(pid: number): boolean {
  const group = /^Tgid:\s*(\d+)$/m.exec(textOf(`/proc/${pid}/status`) ?? '')?.[1];
  return group !== undefined && Number(group) !== pid;
}

/** By its command line, which `process.title` may have changed to a name of ours; where that is not shown, it may be. */
function isNode(pid: number): boolean {
  const [program] = (textOf(`/proc/${pid}/cmdline`) ?? '').split('\0');
  return program === '' || /node|troupe/.test(program);
}

function startMsOf(ticks: string): number | null {
  const bootSeconds = /^btime (\d+)$/m.exec(textOf('/proc/stat') ?? '')?.[1];
  return bootSeconds === undefined ? null : (Number(bootSeconds) + Number(ticks) / TICKS) * 1000;
}

/** Of a file of /proc; null where it is not there, or not shown. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
