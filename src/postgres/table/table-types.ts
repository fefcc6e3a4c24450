/** Describes the types of a table's columns from the catalog: https://www.postgresql.org/docs/current/catalog-pg-type.html */

import type { ColumnTarget, ValueType } from '../../transcode/column-target.ts';

/** A row of pg_type, with related facts. */
export interface CatalogType {
  readonly oid: number;
  readonly name: string;
  readonly isBuiltIn: boolean;
  /** pg_type.typtype: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange). */
  readonly kind: string;
  readonly category: string;
  /** For a domain. */
  readonly baseOid: number;
  readonly modifier: number;
  /** For a domain over an array. */
  readonly dimensions: number;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  /** For a true array only, not for a subscriptable type such as point. */
  readonly elementOid: number | null;
  /** pg_type.typdelim: the delimiter between array elements. */
  readonly delimiter: string;
  /** The type in SQL without a modifier, qualified so that it does not depend on the search path. */
  readonly sql: string;
  readonly labels: readonly string[];
}

export interface DescribedType {
  /** Null if every way to write values would let Postgres silently change some. */
  readonly value: Omit<ColumnTarget, 'name' | 'isNotNull'> | null;
  readonly isDomainNotNull: boolean;
  readonly hasDomainDefault: boolean;
}

/** A value, or an element of an array. */
interface Scalar {
  readonly value: ValueType;
  /** The type in which it is staged. */
  readonly oid: number;
  readonly stage: string;
  readonly isCast: boolean;
}

const noModifier = -1;
const textOid = 25;

/** Postgres stores seconds with at most this many decimal places. */
const maxSecondPlaces = 6;

/** How money is written in the database's locale. */
export interface MoneyStyle {
  readonly scale: number;
  readonly decimalPoint: string;
}

export class TableTypes {
  readonly #types: ReadonlyMap<number, CatalogType>;
  readonly #money: MoneyStyle;

  constructor(types: readonly CatalogType[], money: MoneyStyle) {
    this.#types = new Map(types.map((type) => [type.oid, type]));
    this.#money = money;
  }

  /**
   * @param modifier pg_attribute.atttypmod
   * @param dimensions pg_attribute.attndims, as declared. Postgres does not enforce it
   */
  describe(oid: number, modifier: number, dimensions: number): DescribedType {
    let type = this.#find(oid);
    let isDomainNotNull = false;
    let hasDomainDefault = false;
    while (type.kind === 'd') {
      isDomainNotNull ||= type.isNotNull;
      hasDomainDefault ||= type.hasDefault;
      // A domain over a domain inherits its modifier.
      if (modifier === noModifier) modifier = type.modifier;
      dimensions ||= type.dimensions;
      type = this.#find(type.baseOid);
    }
    const isArray = type.elementOid !== null;
    const value = isArray
      ? this.#describeArray(type, modifier, dimensions)
      : this.#describeValue(type, modifier);
    return { value, isDomainNotNull, hasDomainDefault };
  }

  #describeValue(type: CatalogType, modifier: number): DescribedType['value'] {
    const scalar = this.#describeScalar(type, modifier);
    return scalar && { ...scalar.value, stage: scalar.stage, ...(scalar.isCast ? { cast: type.sql } : {}) };
  }

  #describeArray(type: CatalogType, modifier: number, dimensions: number): DescribedType['value'] {
    let element = this.#find(type.elementOid ?? 0);
    const { oid, kind, delimiter } = element;
    while (element.kind === 'd') {
      if (modifier === noModifier) modifier = element.modifier;
      element = this.#find(element.baseOid);
    }
    const scalar = element.elementOid === null ? this.#describeScalar(element, modifier) : null;
    if (scalar === null) return null;
    const describe = (elementOid: number) =>
      ({
        kind: 'array',
        element: { ...scalar.value, oid: elementOid, delimiter },
        // CREATE TABLE AS does not record the dimensions.
        ...(dimensions > 1 ? { dimensions } : {}),
      }) as const;
    if (scalar.isCast) return { ...describe(scalar.oid), stage: `${scalar.stage}[]`, cast: type.sql };
    // Elements of an array of a domain have the constraints of the domain.
    return { ...describe(kind === 'd' ? oid : scalar.oid), stage: type.sql };
  }

  #describeScalar(type: CatalogType, modifier: number): Scalar | null {
    const { oid, name, isBuiltIn, kind, sql } = type;
    const asItIs = (value: ValueType): Scalar => ({ value, oid, stage: sql, isCast: false });
    if (kind === 'e') return asItIs({ kind: 'enum', labels: type.labels });
    // https://www.postgresql.org/docs/current/citext.html; its binary form is that of text.
    if (name === 'citext' && type.category === 'S') return asItIs({ kind: 'text' });
    if (isBuiltIn && name === 'money') return asItIs({ kind: 'money', ...this.#money });
    const value = isBuiltIn ? describeBuiltIn(name, modifier) : undefined;
    if (value === null) return null;
    if (value !== undefined) return asItIs(value);
    return { value: describeForm(type), oid: textOid, stage: 'text', isCast: true };
  }

  #find(oid: number): CatalogType {
    const type = this.#types.get(oid);
    if (type === undefined) throw new Error(`the catalog has no type ${oid}`);
    return type;
  }
}

/** @returns null when its values cannot be written safely, undefined when it has no encoding of its own */
function describeBuiltIn(name: string, modifier: number): ValueType | null | undefined {
  const hasModifier = modifier !== noModifier;
  switch (name) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'float4':
    case 'float8':
    case 'bool':
    case 'text':
    case 'uuid':
    case 'bytea':
    case 'date':
    case 'json':
    case 'jsonb':
      return { kind: name };
    case 'varchar':
    case 'bpchar':
      return { kind: 'text', ...(hasModifier ? { maxCharacters: modifier - modifierHeader } : {}) };
    case 'name':
      return { kind: 'text', maxBytes: 63 };
    case 'numeric':
      return { kind: 'numeric', ...(hasModifier ? readNumericModifier(modifier) : {}) };
    case 'timestamp':
    case 'timestamptz':
      return { kind: 'timestamp', ...(hasModifier ? { secondPlaces: modifier } : {}) };
    case 'time':
      return { kind: 'time', secondPlaces: hasModifier ? modifier : maxSecondPlaces };
    // With a modifier they round, or drop fields.
    case 'interval':
    case 'timetz':
      return hasModifier ? null : undefined;
    // "char" keeps only the first byte of its input.
    case 'char':
      return null;
    default:
      return undefined;
  }
}

/** VARHDRSZ, which is added to modifiers of lengths and precisions. */
const modifierHeader = 4;

/** See numeric_typmod_precision and numeric_typmod_scale in src/backend/utils/adt/numeric.c. */
function readNumericModifier(modifier: number): { precision: number; scale: number } {
  const packed = modifier - modifierHeader;
  const scale = ((packed & 0x7ff) ^ 1024) - 1024;
  return { precision: (packed >> 16) & 0xffff, scale };
}

/** Types whose text form has seconds; extra digits would be rounded. */
const typesOfTime = ['interval', 'timetz', 'tsrange', 'tstzrange', 'tsmultirange', 'tstzmultirange'];

/** pg_type.typcategory */
const geometric = 'G';

function describeForm({ name, isBuiltIn, category }: CatalogType): ValueType {
  if (isBuiltIn && typesOfTime.includes(name)) return { kind: 'form', secondPlaces: maxSecondPlaces };
  return isBuiltIn && category === geometric ? { kind: 'form', hasDoubles: true } : { kind: 'form' };
}
