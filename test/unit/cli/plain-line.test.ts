import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { normalizeFlags } from '../../../src/cli/flags.ts';
import { parseCommandLine } from '../../../src/cli/parser.ts';
import { readPlainLine } from '../../../src/cli/plain-line.ts';
import { flagOf, optionNames, options } from '../../../src/config/options.ts';
import type { CommandName, Option } from '../../../src/config/options/option.ts';
import fc from '../../support/fast-check.ts';

const commands = [
  'start',
  'plan',
  'verify',
  'status',
  'seed',
  'retry',
  'cutover',
  'repair',
  'doctor',
  'promote',
] as const;

async function parse(normalized: readonly string[]): Promise<{ command: CommandName; flags: object }> {
  let parsed: { command: CommandName; flags: object } | undefined;
  await parseCommandLine(normalized, normalized, {
    columns: 80,
    run: (command, flags) => {
      const given = Object.entries(flags).filter(([, value]) => value !== undefined);
      parsed = { command, flags: Object.fromEntries(given) };
      return Promise.resolve(0);
    },
    serve: () => assert.fail('is not asked for'),
  });
  assert.ok(parsed);
  return parsed;
}

describe('readPlainLine', () => {
  it('reads what the parser reads, of every command', async () => {
    const line = fc
      .record({
        command: fc.constantFrom(...commands),
        values: fc.dictionary(fc.constantFrom(...optionNames), fc.string({ minLength: 1 }), { maxKeys: 5 }),
        isOn: fc.boolean(),
        isBefore: fc.boolean(),
      })
      .map(({ command, values, isOn, isBefore }) => {
        const flags = Object.entries(values).flatMap(([name, value]) => {
          const option: Option = options[name as keyof typeof options];
          if (!option.commands.includes(command)) return [];
          return [`--${flagOf(name as keyof typeof options)}=${option.kind === 'switch' ? isOn : value}`];
        });
        const words = command === 'start' ? [] : [command];
        return isBefore ? [...words, ...flags] : [...flags, ...words];
      });
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(line, async (args) => {
        const normalized = normalizeFlags(args);
        const read = readPlainLine(normalized, commands);
        if (read === null) return;
        plain++;
        assert.deepEqual(read, await parse(normalized));
      }),
      { numRuns: 60 },
    );
    assert.ok(plain > 30, `${plain} of 60 lines were plain`);
  });

  it('has the flags by the names of their options', () => {
    assert.deepEqual(readPlainLine(['cutover', '--wait=5', '--check=true'], commands), {
      command: 'cutover',
      flags: { waitSeconds: '5', check: true },
    });
  });

  for (const [what, args] of [
    ['help', ['--help']],
    ['a flag that is not known', ['--mongo-uri=x']],
    ['a flag of another command', ['plan', '--follow=true']],
    ['a flag without its value', ['--plan=']],
    ['a word too many', ['plan', 'users']],
    ['a word that is no command', ['users']],
    ['the name of the command that has none', ['start']],
    ['what follows --', ['--', 'x']],
    ['a value in quotes', ['--mongo-db="x"']],
  ] as const) {
    it(`leaves ${what} to the parser`, () => {
      assert.equal(readPlainLine(args, commands), null);
    });
  }

  it('and the parser gives the flags by the same names', async () => {
    assert.deepEqual(await parse(['cutover', '--wait=5']), {
      command: 'cutover',
      flags: { waitSeconds: '5' },
    });
  });
});
