import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findAvoidedWords, findInText } from '../../../scripts/avoided-words.ts';

describe('avoided words', () => {
  it('are found with their line and the term to use', () => {
    const [finding, ...others] = findInText('docs/a.md', 'A copy\nbegins anew.\n');
    assert.deepEqual(finding, { place: 'docs/a.md:2', word: 'anew', term: 'again, from scratch' });
    assert.deepEqual(others, []);
  });

  it('are each found once a line, in any case', () => {
    const words = findInText('a.ts', '// Deadly: the run goes on, and is mended.').map(({ word }) => word);
    assert.deepEqual(words, ['mended', 'goes on', 'Deadly']);
  });

  it('do not include parts of other words, or names of events', () => {
    assert.deepEqual(
      findInText('a.ts', "amend, recommend; kind: 'the lead-taken'; a dead letter; account"),
      [],
    );
  });

  it('are in no document and no source', () => {
    assert.deepEqual(findAvoidedWords(), []);
  });
});
