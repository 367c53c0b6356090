/**
 * Output that nobody reads: `troupe launch mine.yaml | head` closes the pipe, a terminal may be closed over a run. What is
 * written then is dropped, and the command goes on: a run's metrics are on disk.
 */

/** Codes of a write to a pipe without a reader, to a terminal that is gone, and of every one after that. */
const codes: readonly unknown[] = ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'];

/** From here on, output to the stream that nobody reads is dropped in silence; any other fault of it throws. */
export function dropUnread(stream: NodeJS.WritableStream): void {
  stream.on('error', (error: Error) => {
    if (!('code' in error && codes.includes(error.code))) throw error;
  });
}
