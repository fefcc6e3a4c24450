import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTestArguments } from '../../../scripts/test-arguments.ts';

const nothing = { words: [], pool: undefined, datestyle: undefined, cases: undefined, flags: [] };

describe('arguments of npm test', () => {
  for (const [args, expected] of [
    [[], {}],
    [['supervisor', 'fault/'], { words: ['supervisor', 'fault/'] }],
    [['x', '--pool', 'threads'], { words: ['x'], pool: 'threads' }],
    [['--datestyle=SQL,DMY', 'x'], { words: ['x'], datestyle: 'SQL,DMY' }],
    [['--cases', 'a.jsonl'], { cases: 'a.jsonl' }],
    [['x', '--test-name-pattern', 'y z'], { words: ['x'], flags: ['--test-name-pattern=y z'] }],
    [['--test-name-pattern=-1', 'x'], { words: ['x'], flags: ['--test-name-pattern=-1'] }],
    [
      ['--test-name-pattern', 'a', '--test-name-pattern', 'b', '--test-only'],
      { flags: ['--test-name-pattern=a', '--test-name-pattern=b', '--test-only'] },
    ],
    [
      ['--test-timeout', '1000', '--inspect=0', 'x'],
      { words: ['x'], flags: ['--test-timeout=1000', '--inspect=0'] },
    ],
  ] as const) {
    it(JSON.stringify(args), () => {
      assert.deepEqual(readTestArguments(args), { ...nothing, ...expected });
    });
  }

  for (const [args, message] of [
    [['--pool', 'fibers'], /^--pool must be one of cluster, threads, inline$/],
    [['x', '--test-name-pattern'], /^--test-name-pattern needs a value$/],
    [['--test-name-pattern', '--test-only'], /^--test-name-pattern needs a value$/],
    [['--pool'], /^--pool needs a value$/],
  ] as const) {
    it(`${JSON.stringify(args)} is a mistake`, () => {
      const mistake = readTestArguments(args);
      assert.match(typeof mistake === 'string' ? mistake : 'none', message);
    });
  }
});
