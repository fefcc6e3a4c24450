/** A run is a sequence of phases. The ledger keeps which are done, so that a run that is continued leaves them out. */

export interface Phase<Account> {
  /** An earlier process of the run has done it, or this one. */
  readonly isDone: boolean;
  /** @returns the account of the phase, when it is done and the ledger knows */
  execute(): Promise<Account>;
}
