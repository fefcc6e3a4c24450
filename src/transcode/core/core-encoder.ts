/**
 * Encodes batches with the WebAssembly core. Documents that the core refuses are encoded in TypeScript. Bytes, counts and dead
 * letters are the same either way.
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
  /** Called once per encoder if the core cannot be used, and everything is encoded in TypeScript. */
  readonly onFailure?: (reason: string) => void;
  /** Creates the core. @throws if it is not available */
  readonly create?: () => Core;
}

export function createCoreEncoder(plan: Plan, options: CoreEncoderOptions = {}): RowEncoder {
  return new CoreEncoder(plan, options);
}

class CoreEncoder implements RowEncoder {
  readonly #plan: Plan;
  readonly #options: CoreEncoderOptions;
  readonly #plain: PlanRowEncoder;
  /** Null if the core is not used; undefined until it is needed. */
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
      // WebAssembly can be disabled, lack a feature, or have no memory.
      onFailure?.(error instanceof Error ? error.message : String(error));
      return null;
    }
  }
}
