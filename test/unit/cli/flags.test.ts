import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/common/errors.ts';
import { flagsOfWords, normalizeFlags } from '../../../src/cli/flags.ts';

function refusal(...args: string[]): UsageError {
  try {
    normalizeFlags(args);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error;
  }
  assert.fail('was not refused');
}

describe('an on/off flag', () => {
  for (const value of ['1', 'true', 'TRUE', 'yes', 'Yes', 'on', 'ON']) {
    it(`is on with =${value}, and with ${value} behind it`, () => {
      assert.deepEqual(normalizeFlags([`--dry-run=${value}`]), ['--dry-run=true']);
      assert.deepEqual(normalizeFlags(['--dry-run', value, '--json']), ['--dry-run=true', '--json=true']);
      assert.deepEqual(normalizeFlags([`--dryRun=${value}`]), ['--dry-run=true']);
    });
  }

  for (const value of ['0', 'false', 'FALSE', 'no', 'No', 'off', 'OFF']) {
    it(`is off with =${value}, and with ${value} behind it`, () => {
      assert.deepEqual(normalizeFlags([`--restart=${value}`]), ['--restart=false']);
      assert.deepEqual(normalizeFlags(['--restart', value]), ['--restart=false']);
    });
  }

  it('is on by itself, and off with --no-', () => {
    assert.deepEqual(normalizeFlags(['--verify', '--no-force', 'plan']), [
      '--verify=true',
      '--force=false',
      'plan',
    ]);
  });

  for (const value of ['', 'maybe', '2', 'tru', 'yes please', '-1']) {
    it(`is refused with =${value}`, () => {
      const { code, message } = refusal(`--dry-run=${value}`);
      assert.equal(code, 'OPTION_INVALID');
      assert.match(message, /^--dry-run must be true or false/);
    });
  }

  it('is refused if it is given as on and as off, and not if it is given twice as on', () => {
    assert.equal(refusal('--json', '--no-json').code, 'OPTION_TWICE');
    assert.equal(refusal('--json=yes', '--json=0').code, 'OPTION_TWICE');
    assert.deepEqual(normalizeFlags(['--json', '--json=1']), ['--json=true']);
  });
});

describe('a flag with a value', () => {
  it('has it behind = or behind a space, with any content', () => {
    assert.deepEqual(
      normalizeFlags(['--mongo-collection', 'a=b', '--filter={"a": "=\n"}', '--cluster-size', '-1']),
      ['--mongo-collection=a=b', '--filter={"a": "=\n"}', '--cluster-size=-1'],
    );
  });

  it('is refused when it is given twice with different values, which are not repeated', () => {
    const { code, message, fix } = refusal(
      '--mongo-url',
      'mongodb://u:s3cret@a',
      '--mongo-url=mongodb://u:s3cret@b',
    );
    assert.equal(code, 'OPTION_TWICE');
    assert.equal(message, '--mongo-url is given twice, with different values');
    assert.equal(fix, 'give it once.');
    assert.deepEqual(normalizeFlags(['--plan', 'a', '--plan=a']), ['--plan=a']);
  });

  it('without one, with --no-, or unknown is passed to the parser, which refuses it', () => {
    for (const args of [
      ['--plan'],
      ['--plan', '--json=true'],
      ['--no-plan'],
      ['--no-json=1'],
      ['--plans', 'a'],
      ['-v'],
    ]) {
      assert.deepEqual(normalizeFlags(args), args);
    }
  });

  it('is none behind --', () => {
    assert.deepEqual(normalizeFlags(['--json', '--', '--json=no']), ['--json=true', '--', '--json=no']);
  });
});

describe('flagsOfWords', () => {
  const place = (...args: string[]): readonly string[] => flagsOfWords(normalizeFlags(args));

  it('makes flags of the words after promote, and leaves all others', () => {
    assert.deepEqual(place('promote', 'users', 'age', '--type', 'int32'), [
      ...['promote', '--table=users', '--field=age', '--type=int32'],
    ]);
    assert.deepEqual(place('--json', 'promote', '--type', 'int32', 'users', 'age'), [
      ...['--json=true', 'promote', '--type=int32', '--table=users', '--field=age'],
    ]);
    assert.deepEqual(place('promote', '--table', 'users', 'age'), [
      'promote',
      '--table=users',
      '--field=age',
    ]);
    assert.deepEqual(place('promote', 'a', 'b', 'c'), ['promote', '--table=a', '--field=b', 'c']);
    assert.deepEqual(place('verify', 'users'), ['verify', 'users']);
    assert.deepEqual(place(), []);
  });
});
