/**
 * What one check of the machine came to. `found` is for a person and `facts` for a program; both say the same. A warning
 * is something that a run can do without; a failure is not.
 */

export type Mark = 'ok' | 'warn' | 'fail';

/** In the order in which they are made and shown. */
export const checkNames = ['node', 'nats-server', 'cpu', 'gpu', 'loopback', 'store', 'disk', 'memory'] as const;
export type CheckName = (typeof checkNames)[number];

export type Fact = string | number | boolean | null | readonly Fact[] | { readonly [name: string]: Fact };

export interface Finding {
  readonly check: CheckName;
  readonly mark: Mark;
  /** One line. */
  readonly found: string;
  /** What to do, with the command; null where nothing is wrong. */
  readonly mend: string | null;
  /** Sizes in bytes. */
  readonly facts: Readonly<Record<string, Fact>>;
}

/** Whether a run can start on this machine. */
export const canRun = (findings: readonly Finding[]): boolean => findings.every(({ mark }) => mark !== 'fail');

/** Our own errors say what is wrong, then, after the last semicolon, what to do; others say only the first. */
export function partsOf(message: string): { readonly found: string; readonly mend: string | null } {
  const at = message.lastIndexOf('; ');
  return at < 0 ? { found: message, mend: null } : { found: message.slice(0, at), mend: message.slice(at + 2) };
}
