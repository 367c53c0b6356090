/** What a device has compiled: each program or group once, also when it is asked for again while that goes on. */
export class Compilations<P, E> {
  private readonly build: (program: P) => Promise<E>;
  private readonly known = new Map<P, Promise<E>>();

  constructor(build: (program: P) => Promise<E>) {
    this.build = build;
  }

  /** Throws what `build` throws; it may be asked again then. */
  async of(program: P): Promise<E> {
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
