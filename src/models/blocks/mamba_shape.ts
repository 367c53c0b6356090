/** The sizes of a Mamba block (arXiv 2312.00752 §3.4), under Hugging Face's names. */
export interface MambaConfig {
  /** States of a channel, N. */
  readonly state_size: number;
  /** Taps of the convolution, k. */
  readonly conv_kernel: number;
  /** Channels, as a multiple of the hidden width. */
  readonly expand: number;
  /** Rank of the projection to step sizes. */
  readonly time_step_rank: number;
  readonly use_bias: boolean;
  readonly use_conv_bias: boolean;
}
