/** Reads again what could not be read because the server went away. */

import { retry } from '../../common/retry.ts';
import { isPassingMongoError } from './mongo-errors.ts';

export interface Insistence {
  /** How long to keep trying once the server is gone. */
  readonly retryLimitMs: number;
  /** The read failed, and is done again. */
  readonly onRetry?: (reason: string) => void;
  /** Ends the trying with its reason. */
  readonly signal?: AbortSignal;
}

/** @param read leaves nothing half done when it fails. @throws the last error of `read`, or the signal's reason */
export function insist<T>(
  read: () => Promise<T>,
  { retryLimitMs: limitMs, onRetry, signal }: Insistence,
): Promise<T> {
  return retry(read, {
    limitMs,
    isPassing: isPassingMongoError,
    onRetry: (error, attempt) => {
      if (attempt === 1) onRetry?.(error instanceof Error ? error.message : String(error));
    },
    ...(signal === undefined ? {} : { signal }),
  });
}
