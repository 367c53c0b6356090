/** A refusal says what a launch cannot use in a file of a corpus, as data: threads find it, and the launcher makes an error of it. */

export interface Refusal {
  readonly kind: 'refused';
  readonly path: string;
  /** From 1; null where the file as a whole is meant. */
  readonly line: number | null;
  readonly reason: string;
  readonly remedy: string;
}

export const refused = (path: string, reason: string, remedy: string, line: number | null = null): Refusal => ({
  kind: 'refused',
  path,
  line,
  reason,
  remedy,
});
