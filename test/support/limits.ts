/**
 * How long tests wait. These limits only end tests that hang, and prove nothing: a machine with a tenfold overload
 * takes a minute for what takes seconds elsewhere.
 */

/** For one step: a server that starts, a run of the command, a condition that comes true. */
export const stepLimitMs = 180_000;

/** For work during all steps of a test. */
export const testLimitMs = 600_000;

/** For all tests of a group, one after the other. */
export const groupLimitMs = 1_800_000;
