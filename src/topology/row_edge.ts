/** A row edge joins two actors that exchange rows of a microbatch: one sends them, the other sends as many back. */

export interface RowEdge {
  /** Address of the other end. */
  readonly to: string;
  /** Between stages, between a stage and its routers, or between a router and the groups of its mixture. */
  readonly cause: 'pipeline' | 'handOver' | 'dispatch';
  /** Messages each way for a microbatch of a training step. */
  readonly messages: number;
  readonly rowBytes: number;
  /** Rows of one message: if experts are evenly loaded, and at most. */
  readonly even: number;
  readonly most: number;
  /** What all edges of one actor and cause carry together at most, each way and message. */
  readonly together: number;
}
