/**
 * The last messages a system handled, for the report after a failure. A ring of plain columns: noting a message stores
 * four values and allocates nothing.
 */

import type { Address } from './address.ts';

export interface FlightEntry {
  readonly address: Address;
  readonly message: string;
  readonly id: number;
  /** The clock's time at the start of the batch in which the message was handled. */
  readonly ms: number;
}

export const FLIGHT_LENGTH = 256;

export class FlightRecord {
  readonly #addresses = new Array<Address>(FLIGHT_LENGTH).fill('');
  readonly #messages = new Array<string>(FLIGHT_LENGTH).fill('');
  readonly #ids = new Float64Array(FLIGHT_LENGTH);
  readonly #times = new Float64Array(FLIGHT_LENGTH);
  #count = 0;

  note(address: Address, message: string, id: number, ms: number): void {
    const slot = this.#count++ % FLIGHT_LENGTH;
    this.#addresses[slot] = address;
    this.#messages[slot] = message;
    this.#ids[slot] = id;
    this.#times[slot] = ms;
  }

  /** Oldest first, at most `FLIGHT_LENGTH`. */
  entries(): FlightEntry[] {
    const length = Math.min(this.#count, FLIGHT_LENGTH);
    return Array.from({ length }, (_, i) => {
      const slot = (this.#count - length + i) % FLIGHT_LENGTH;
      return {
        address: this.#addresses[slot],
        message: this.#messages[slot],
        id: this.#ids[slot],
        ms: this.#times[slot],
      };
    });
  }
}
