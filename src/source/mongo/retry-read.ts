/** Retries a read that failed with a transient error, with backoff. */

import { retry } from '../../common/retry.ts';
import { isTransientMongoError } from './mongo-errors.ts';

export interface ReadRetry {
  /** How long to retry, from the first failure on. */
  readonly retryLimitMs: number;
  /** The read failed, and is done again. */
  readonly onRetry?: (reason: string) => void;
  /** Ends the retries with its reason. */
  readonly signal?: AbortSignal;
}

/** @param read leaves nothing half done when it fails. @throws the last error of `read`, or the signal's reason */
export function retryRead<T>(
  read: () => Promise<T>,
  { retryLimitMs: limitMs, onRetry, signal }: ReadRetry,
): Promise<T> {
  return retry(read, {
    limitMs,
    isTransient: isTransientMongoError,
    onRetry: (error, attempt) => {
      if (attempt === 1) onRetry?.(error instanceof Error ? error.message : String(error));
    },
    ...(signal === undefined ? {} : { signal }),
  });
}
