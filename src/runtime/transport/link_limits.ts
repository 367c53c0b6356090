/**
 * The tunables of links, with defaults that suit one switch or one machine. Nodes of a cluster should agree on
 * `maxFrameBytes`; the others may differ.
 */

export interface LinkLimits {
  /** Payload and header of one NATS message; lowered to the server's `max_payload`. */
  readonly chunkBytes: number;
  /** A longer frame is refused by its sender, and by its receiver before memory is asked for. */
  readonly maxFrameBytes: number;
  /** All incomplete frames of a node together. */
  readonly maxPartialBytes: number;
  /** How far ahead of the expected chunk others are kept, to put order right; no control is sent further ahead. */
  readonly windowChunks: number;
  /** Data that is known to be missing for so long is lost. */
  readonly stallMs: number;
  /** A data link that is silent says this often how far it has sent. */
  readonly tailMs: number;
  /** The oldest control chunk of a link is sent again when nothing was acknowledged for so long; each time for twice as long. */
  readonly retryMs: number;
  /** Control of one link that is under way: sent, and not acknowledged. */
  readonly unacknowledgedBytes: number;
  /** Data handed to NATS whose flush is not yet confirmed, all links together. */
  readonly unflushedBytes: number;
  /** Data, or control of one link, that waits to be sent; beyond it the link is broken. */
  readonly maxQueuedBytes: number;
}

export const LINK_LIMITS: LinkLimits = {
  chunkBytes: 256 * 1024,
  maxFrameBytes: 256 * 2 ** 20,
  maxPartialBytes: 512 * 2 ** 20,
  windowChunks: 64,
  stallMs: 5_000,
  tailMs: 500,
  retryMs: 500,
  unacknowledgedBytes: 2 * 2 ** 20,
  unflushedBytes: 8 * 2 ** 20,
  maxQueuedBytes: 512 * 2 ** 20,
};

/** No server with a smaller `max_payload` is used. */
export const LEAST_PAYLOAD_BYTES = 32 * 1024;
