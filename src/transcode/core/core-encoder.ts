/**
 * Encodes batches by the core, which is WebAssembly, and gives each document that it refuses to the encoder in TypeScript,
 * whose bytes, counts and dead letters it has in every case.
 */

import type { Plan } from '../plan.ts';
import {
  type EncodedBatch,
  limitsOf,
  PlanRowEncoder,
  type RowEncoder,
  type RowEncoderOptions,
} from '../row.ts';
import { CoreSession } from './core-session.ts';
import { type Core, createCore } from './module.ts';

export interface CoreEncoderOptions extends RowEncoderOptions {
  /** The core cannot be used, and everything is encoded outside: told once by each encoder. */
  readonly onFailure?: (reason: string) => void;
  /** Makes the core. @throws where there is none */
  readonly create?: () => Core;
}

export function createCoreEncoder(plan: Plan, options: CoreEncoderOptions = {}): RowEncoder {
  return new CoreEncoder(plan, options);
}

class CoreEncoder implements RowEncoder {
  readonly #plan: Plan;
  readonly #options: CoreEncoderOptions;
  readonly #plain: PlanRowEncoder;
  /** Null where the core is not used; undefined until it is wanted. */
  #session: CoreSession | null | undefined;

  constructor(plan: Plan, options: CoreEncoderOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#plain = new PlanRowEncoder(plan, options);
  }

  encodeBatch(array: Uint8Array): EncodedBatch {
    if (this.#session === undefined || this.#session?.isWasteful === true) this.#session = this.#open();
    const session = this.#session;
    const encoded = session?.encode(array) ?? null;
    if (session?.end === 'memory') this.#options.onFailure?.('there is no memory for it');
    if (session?.end !== undefined) this.#session = null;
    return encoded ?? this.#plain.encodeBatch(array);
  }

  #open(): CoreSession | null {
    const { create = createCore, onFailure } = this.#options;
    try {
      return CoreSession.open(create(), this.#plan, limitsOf(this.#options), this.#plain);
    } catch (error) {
      // Whatever WebAssembly throws: it is turned off, misses a feature, or has no memory.
      onFailure?.(error instanceof Error ? error.message : String(error));
      return null;
    }
  }
}
