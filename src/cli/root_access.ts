/** Whether this user may do what needs root, without being asked for a password. */
import type { Shell } from './shell.ts';

/** What goes before such a command: nothing, or `sudo -n`. Else why not; `byHand` is what the user may do with a password. */
export function rootAccess(shell: Shell, byHand: string): readonly string[] | string {
  if (shell.run(['id', '-u'])?.stdout.trim() === '0') return [];
  const sudo = shell.run(['sudo', '-n', 'true']);
  if (sudo === null) return 'not done here: it needs root, and there is no sudo';
  if (!sudo.isOk) return `not done here: sudo asks for a password; 'sudo ${byHand}' does too`;
  return ['sudo', '-n'];
}
