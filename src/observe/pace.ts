/** The pace at which a process reads its source, as the ledger has it and `tune` shows it. */

/** In the syntax of MAX_RATE and LOAD_LEVEL. */
export interface WrittenPace {
  readonly maxRate: string;
  readonly loadLevel: string;
}

export interface PaceRow extends WrittenPace {
  readonly process: string;
  readonly work: string;
  readonly isTaken: boolean;
}
