/** fp32 constants that generated code reads; one name is one content. */
export interface Table {
  readonly name: string;
  readonly length: number;
  make(): Float32Array;
}
