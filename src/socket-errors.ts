/** Errors of Node's sockets after which a new connection may work. */

const passingCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
]);

export function isPassingSocketError(error: unknown): boolean {
  // Where a name has several addresses, one error for each.
  if (error instanceof AggregateError) return error.errors.every(isPassingSocketError);
  return error instanceof Error && 'code' in error && passingCodes.has(String(error.code));
}
