/** Errors of Node's sockets after which a new connection may work, where there was one before. */

const transientCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  // A name that is gone while its server moves to another machine or starts anew.
  'ENOTFOUND',
]);

export function isTransientSocketError(error: unknown): boolean {
  // Where a name has several addresses, one error for each.
  if (error instanceof AggregateError) return error.errors.every(isTransientSocketError);
  if (!(error instanceof Error && 'code' in error)) return false;
  // Of a Unix socket: its server takes it away when it ends. Any other file that is missing stays so.
  if (error.code === 'ENOENT') return 'syscall' in error && error.syscall === 'connect';
  return transientCodes.has(String(error.code));
}
