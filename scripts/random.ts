/** For scripts and tests, as `src` has it. */

export { createRandom, type Random } from '../src/common/random.ts';
