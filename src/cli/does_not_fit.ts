/** A run that has no room on the workers it is given: exit code 1, the verdict of `troupe plan`. */
export class DoesNotFit extends Error {
  readonly tag = 'DoesNotFit';
  readonly exitCode = 1;

  constructor(verdict: string) {
    super(verdict);
    this.name = 'DoesNotFit';
  }
}
