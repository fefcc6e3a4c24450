/**
 * fast-check with the same seed in every run: what is wrong is met by who makes it wrong, and not by luck by whoever comes next.
 * `TEST_SEED=42 npm test -- unit/` tries out other values.
 */

import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.TEST_SEED ?? 1) });

export default fc;
