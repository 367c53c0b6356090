/**
 * The types of msgpackr's entry without native code, which its own declarations for that entry do not resolve to.
 */
declare module 'msgpackr/pack' {
  export { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from 'msgpackr';
}
