/** What a device has compiled: each program once, also when it is asked for again while that goes on. */
import type { Program } from './program.ts';

export class Compilations<E> {
  private readonly build: (program: Program) => Promise<E>;
  private readonly known = new Map<Program, Promise<E>>();

  constructor(build: (program: Program) => Promise<E>) {
    this.build = build;
  }

  /** Throws what `build` throws; it may be asked again then. */
  async of(program: Program): Promise<E> {
    const known = this.known.get(program) ?? this.build(program);
    this.known.set(program, known);
    try {
      return await known;
    } catch (error) {
      this.known.delete(program);
      throw error;
    }
  }

  all(): Promise<readonly E[]> {
    return Promise.all(this.known.values());
  }

  clear(): void {
    this.known.clear();
  }
}
