/** Transient errors of Node's sockets: a new connection may work if there was one before. */

const transientCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  // A host name may be missing while its server restarts or moves to another machine.
  'ENOTFOUND',
]);

export function isTransientSocketError(error: unknown): boolean {
  // If a name has several addresses, there is one error for each.
  if (error instanceof AggregateError) return error.errors.every(isTransientSocketError);
  if (!(error instanceof Error && 'code' in error)) return false;
  // A server removes its Unix socket when it ends. Any other missing file stays missing.
  if (error.code === 'ENOENT') return 'syscall' in error && error.syscall === 'connect';
  return transientCodes.has(String(error.code));
}
