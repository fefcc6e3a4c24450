/** Collations: by what rules a collection, or a command, compares texts, as far as `Intl.Collator` has them. */
import type { TextOrder } from '../../../../../src/bson/match/compare.ts';
import { byBytes } from '../../../../../src/bson/match/compare.ts';
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { isDocument } from '../storage/metadata.ts';
import type { KeptDocument, Metadata } from '../storage/metadata.ts';

export interface Collation {
  /** With the defaults of MongoDB, as listCollections returns it. */
  readonly options: KeptDocument;
  /** The same function for the same options. */
  readonly order: TextOrder;
}

/** Language, script and country; of `_POSIX` and `@collation=phonebook` Intl has others, or none. */
const knownLocale = /^[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?$/;

const caseFirsts: Readonly<Record<string, Intl.CollatorOptions['caseFirst']>> = {
  off: 'false',
  upper: 'upper',
  lower: 'lower',
};
const alternates = ['non-ignorable', 'shifted'];
const maxVariables = ['punct', 'space'];

const known = new Map<string, Collation>();

/**
 * @returns undefined for the simple one, which compares bytes
 * @throws CommandError for what is no collation, and for what Intl cannot do
 */
export function parseCollation(spec: KeptDocument): Collation | undefined {
  if (typeof spec.locale !== 'string') {
    throw new CommandError(
      ErrorCode.missingField,
      "BSON field 'collation.locale' is missing but a required field",
    );
  }
  if (spec.locale === 'simple') return undefined;
  const options = fillInCollation(spec);
  options.strength = Number(options.strength);
  const unknown = Object.keys(options).find((name) => !(name in defaults));
  if (unknown !== undefined) {
    throw new CommandError(ErrorCode.unknownField, `BSON field 'collation.${unknown}' is an unknown field.`);
  }
  const name = JSON.stringify(options);
  const collation = known.get(name) ?? { options, order: orderBy(createCollator(spec.locale, options)) };
  known.set(name, collation);
  return collation;
}

/** How the texts of a collection compare where nothing else is said. */
export function orderOf({ options: { collation } }: Pick<Metadata, 'options'>): TextOrder {
  return (isDocument(collation) ? parseCollation(collation)?.order : undefined) ?? byBytes;
}

const defaults: KeptDocument = {
  locale: 'simple',
  caseLevel: false,
  caseFirst: 'off',
  strength: 3,
  numericOrdering: false,
  alternate: 'non-ignorable',
  maxVariable: 'punct',
  normalization: false,
  backwards: false,
  version: '57.1',
};

/** https://www.mongodb.com/docs/manual/reference/collation/ */
export function fillInCollation(collation: KeptDocument): KeptDocument {
  return { ...defaults, ...collation };
}

/** Intl normalizes always: `normalization` has no other effect on texts that are normalized, as most are. */
function createCollator(locale: string, options: KeptDocument): Intl.Collator {
  const { caseLevel, caseFirst, strength, numericOrdering, alternate, maxVariable, backwards } = options;
  const tag = locale.replaceAll('_', '-');
  if (knownLocale.test(locale) && Intl.Collator.supportedLocalesOf(tag).length === 0) {
    throw new CommandError(ErrorCode.badValue, `Field 'locale' is invalid in: { locale: "${locale}" }`);
  }
  if (!knownLocale.test(locale)) throw notImplemented(`the locale ${locale} of a collation`);
  const first = caseFirsts[requireOneOf('caseFirst', caseFirst, Object.keys(caseFirsts))];
  const isShifted = requireOneOf('alternate', alternate, alternates) === 'shifted';
  if (requireOneOf('maxVariable', maxVariable, maxVariables) !== 'punct' && isShifted) {
    throw notImplemented('collations that ignore spaces and not punctuation');
  }
  if (backwards === true) throw notImplemented('collations with backwards');
  return new Intl.Collator(tag, {
    usage: 'sort',
    sensitivity: sensitivityOf(Number(strength), caseLevel === true),
    numeric: numericOrdering === true,
    caseFirst: first,
    ignorePunctuation: isShifted,
  });
}

function sensitivityOf(strength: number, hasCaseLevel: boolean): Intl.CollatorOptions['sensitivity'] {
  if (![1, 2, 3, 4, 5].includes(strength)) {
    throw new CommandError(
      ErrorCode.badValue,
      `Enumeration value '${strength}' for field 'collation.strength' is not a valid value.`,
    );
  }
  if (hasCaseLevel && strength === 1) return 'case';
  const sensitivity = hasCaseLevel ? undefined : (['base', 'accent', 'variant'] as const)[strength - 1];
  if (sensitivity === undefined) {
    throw notImplemented(`collations of strength ${strength}${hasCaseLevel ? ' with caseLevel' : ''}`);
  }
  return sensitivity;
}

function requireOneOf(name: string, value: unknown, choices: readonly string[]): string {
  if (typeof value === 'string' && choices.includes(value)) return value;
  throw new CommandError(
    ErrorCode.badValue,
    `Enumeration value '${String(value)}' for field 'collation.${name}' is not a valid value.`,
  );
}

function orderBy(collator: Intl.Collator): TextOrder {
  return (bytesA, startA, bytesB, startB) =>
    collator.compare(readText(bytesA, startA), readText(bytesB, startB));
}

function readText(bytes: Buffer, start: number): string {
  return bytes.toString('utf8', start + 4, start + 3 + readInt32(bytes, start));
}
