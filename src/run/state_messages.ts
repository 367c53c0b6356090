/**
 * State messages carry tensors that come in parts, as many values in each as a message has room for: small tensors go together, and a
 * large one goes in several. All of them are made in the same memory, so that it does not grow with the model.
 */
import { DTYPE_BYTES, float32In, type TensorParts } from '../checkpoints/index.ts';
import type { StatePart } from '../actors/protocol/parameters.ts';
import { payload } from '../actors/protocol/pass.ts';

/** Most values of a message: with their names they fit into a slot of 4 MiB. */
const messageElements = 2 ** 20 - 2 ** 14;
/** Most parts of a message, for the sake of those with few values. */
const messageParts = 2 ** 10;

export class StateMessages {
  private readonly send: (parts: StatePart[]) => Promise<void>;
  private readonly room = new Float32Array(messageElements);
  private taken = 0;
  private parts: StatePart[] = [];

  /** `send` has copied what it is given once it resolves. */
  constructor(send: (parts: StatePart[]) => Promise<void>) {
    this.send = send;
  }

  /** Sends what does not wait for more. Throws `BadTensor` for what is no float; what `send` and the source throw passes. */
  async add({ name, dtype, shape, parts }: TensorParts): Promise<void> {
    let at = 0;
    for await (const data of parts) {
      const values = float32In({ name, dtype, shape: [data.length / DTYPE_BYTES[dtype]], data });
      for (let first = 0; first < values.length;) {
        if (this.taken === messageElements || this.parts.length === messageParts) await this.flush();
        const some = values.subarray(first, first + messageElements - this.taken);
        this.room.set(some, this.taken);
        this.note({ name, shape: [...shape], at: at + first }, some.length);
        first += some.length;
      }
      at += values.length;
    }
  }

  /** Sends what waits. */
  async flush(): Promise<void> {
    const { parts } = this;
    if (parts.length === 0) return;
    await this.send(parts);
    this.parts = [];
    this.taken = 0;
  }

  /** The next `length` values are of that tensor: behind those that the message has of it already, or a part of their own. */
  private note(of: Omit<StatePart, 'values'>, length: number): void {
    const last = this.parts.at(-1);
    const isMore = last?.name === of.name;
    const begin = isMore ? this.taken - last.values.data.length : this.taken;
    this.taken += length;
    const values = this.room.subarray(begin, this.taken);
    const part = { ...of, at: isMore ? last.at : of.at, values: payload(values, [values.length]) };
    if (isMore) this.parts.pop();
    this.parts.push(part);
  }
}
