/**
 * fast-check with the same seed in every run: a defect fails the change that causes it, and not a later one by chance.
 * `TEST_SEED=42 npm test -- unit/` tries out other values.
 */

import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.TEST_SEED ?? 1) });

export default fc;
