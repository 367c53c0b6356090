/**
 * What the links of a node count, for tests to assert and dashboards to show. Each number only grows. Whatever is not
 * delivered is in exactly one of them.
 */

export class LinkCounters {
  framesSent = 0;
  framesReceived = 0;
  /** Bytes of chunks with their headers, as handed to or taken from NATS. */
  bytesSent = 0;
  bytesReceived = 0;
  /** Control chunks sent again, for want of an acknowledgement. */
  resent = 0;

  // Chunks that came and were dropped.
  /** No chunk of this link: too short, another magic number or version, fields that contradict each other or what came. */
  malformed = 0;
  /** The checksum does not fit the bytes. */
  corrupt = 0;
  /** Of another run, or of another process under the sender's name in the same gen. */
  foreign = 0;
  /** Of a gen that has not been entered here. */
  early = 0;
  /** Of a lower gen, or of a former life of the sender. */
  stale = 0;
  duplicates = 0;
  /** Beyond the window in which order is put right. */
  beyondWindow = 0;
  /** Of frames beyond the limit, or for which no memory is left in the budget. */
  unfitting = 0;
  /** Of a link that was broken already. */
  broken = 0;

  // Frames that came whole and were dropped.
  /** Their sender lives on another node than the subject says that they came from, or their lane is another. */
  misattributed = 0;

  // Frames given up.
  /** Not sent: their link was broken, their gen over or their node lost. */
  unsent = 0;
  /** Begun, and not completed before their link broke or its gen ended. */
  partial = 0;
}
