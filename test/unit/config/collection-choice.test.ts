import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseCollections, namesSeveral } from '../../../src/config/collection-choice.ts';

const infos = [
  { name: 'users', type: 'collection', bytes: 10 },
  { name: 'log_2024', type: 'collection', bytes: 500 },
  { name: 'log_2025', type: 'collection', bytes: 900 },
  { name: 'a.b+c', type: 'collection', bytes: 1 },
  { name: 'recent', type: 'view', bytes: 0 },
  { name: 'weather', type: 'timeseries', bytes: 0 },
  { name: 'system.views', type: 'collection', bytes: 3 },
];

function choose(wanted: string, excluded = ''): string[] {
  return chooseCollections(infos, wanted, excluded).chosen.map(({ name }) => name);
}

describe('chooseCollections', () => {
  it('takes all that can be copied, the largest first', () => {
    assert.deepEqual(choose('*'), ['log_2025', 'log_2024', 'users', 'a.b+c']);
  });

  it('reports what it skips, and why', () => {
    const { skipped } = chooseCollections(infos, '*', '');
    assert.deepEqual(
      skipped.map(({ name }) => name),
      ['recent', 'weather', 'system.views'],
    );
    assert.match(skipped[0]?.reason ?? '', /a view/);
    assert.match(skipped[1]?.reason ?? '', /time-series/);
  });

  it('takes names and patterns, and skips excluded ones', () => {
    assert.deepEqual(choose('users, log_*'), ['log_2025', 'log_2024', 'users']);
    assert.deepEqual(choose('*', 'log_*,users'), ['a.b+c']);
  });

  it('takes the other characters of a pattern as they are', () => {
    assert.deepEqual(choose('a.b+*'), ['a.b+c']);
    assert.throws(() => choose('aXb+*'), /no collection can be copied/);
  });

  it('refuses a missing name, and lists the existing ones', () => {
    assert.throws(() => choose('users,curses'), {
      message: 'MongoDB has no collection curses',
      fix: /there are: a\.b\+c, log_2024/,
    });
  });

  it('refuses when nothing that is named can be copied', () => {
    assert.throws(() => choose('recent,weather'), /no collection can be copied/);
  });
});

describe('namesSeveral', () => {
  it('distinguishes one name from several', () => {
    assert.deepEqual(['users', 'a,b', '*', 'log_*'].map(namesSeveral), [false, true, true, true]);
  });
});
