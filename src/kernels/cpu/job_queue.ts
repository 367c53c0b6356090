/**
 * The queue of a device that does one job at a time, in the order of the calls. A job that can wait gives way: it begins when
 * nothing else is asked for and whatever had come by then has been looked at, so that it fills the gaps that others leave.
 */
type Job<T> = () => Promise<T>;

export class JobQueue {
  private tail: Promise<unknown> = Promise.resolve();
  private readonly waiting: (() => void)[] = [];
  /** Jobs that were asked for and are not done. */
  private open = 0;

  /** Does a job after those asked for before; one that fails fails its own caller only. */
  do<T>(job: Job<T>): Promise<T> {
    this.open++;
    const result = this.tail.then(job);
    this.tail = result.then(
      () => this.done(),
      () => this.done(),
    );
    return result;
  }

  /** Does a job when nothing else is to be done; several in the order of the calls. */
  doLater<T>(job: Job<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        this.do(job).then(resolve, reject);
      });
      if (this.open === 0) this.lookAround();
    });
  }

  /** All that was asked for so far is done, but for what waits for a gap. */
  async idle(): Promise<void> {
    await this.tail;
  }

  private done(): void {
    this.open--;
    if (this.open === 0 && this.waiting.length > 0) this.lookAround();
  }

  /** Who waited for the last job asks for its next one now, and messages that have come are handled, before this goes on. */
  private lookAround(): void {
    setImmediate(() => {
      if (this.open === 0) this.waiting.shift()?.();
    });
  }
}
