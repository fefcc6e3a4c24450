/** The types that a program which imports the package sees, as text: each name with its type, members and all. */

import { resolve, sep } from 'node:path';
import ts from 'typescript';

/** As built. */
const entry = resolve('dist', 'src', 'index.d.ts');
const ownFolder = resolve('dist') + sep;

const flags = (ts.TypeFormatFlags.NoTruncation |
  ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope |
  ts.TypeFormatFlags.WriteArrowStyleSignature) as ts.TypeFormatFlags;

/** Exported types come first, and then internal ones that these refer to. */
export function describePublicApi(): string {
  const program = ts.createProgram([entry], {
    module: ts.ModuleKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entry);
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error(`${entry} is not there: build it`);
  const exported = checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));
  const printer = new Printer(checker, exported);
  const lines = printer.printAll(exported);
  const reached = printer.printReached();
  return [...lines, '', '-- Not exported, and part of what is', '', ...reached, ''].join('\n');
}

class Printer {
  readonly #checker: ts.TypeChecker;
  /** Types that are printed, or will be. */
  readonly #known: Set<ts.Symbol>;
  readonly #reached: ts.Symbol[] = [];

  constructor(checker: ts.TypeChecker, exported: readonly ts.Symbol[]) {
    this.#checker = checker;
    this.#known = new Set(exported);
  }

  printAll(symbols: readonly ts.Symbol[]): string[] {
    const byName = [...symbols].sort((one, other) => (one.name < other.name ? -1 : 1));
    return byName.flatMap((symbol) => [...this.#print(symbol), '']).slice(0, -1);
  }

  /** Printing one may reach others. */
  printReached(): string[] {
    const printed = new Map<ts.Symbol, string[]>();
    for (const symbol of this.#reached) printed.set(symbol, this.#print(symbol));
    const byName = [...printed].sort(([one], [other]) => (one.name < other.name ? -1 : 1));
    return byName.flatMap(([, lines]) => [...lines, '']).slice(0, -1);
  }

  #print(symbol: ts.Symbol): string[] {
    const lines: string[] = [];
    if (symbol.flags & ts.SymbolFlags.Value) {
      const type = this.#checker.getTypeOfSymbol(symbol);
      if (symbol.flags & ts.SymbolFlags.Class) {
        for (const { parameters } of type.getConstructSignatures()) {
          lines.push(`new ${symbol.name}(${parameters.map((each) => this.#member(each)).join(', ')})`);
        }
      } else if (symbol.flags & ts.SymbolFlags.Function) {
        lines.push(`function ${symbol.name}: ${this.#text(type)}`);
      } else {
        lines.push(`const ${symbol.name}: ${this.#text(type)}`);
      }
    }
    if (symbol.flags & ts.SymbolFlags.Type) {
      const type = this.#checker.getDeclaredTypeOfSymbol(symbol);
      const members = isUnionOfNames(symbol) ? null : this.#members(type);
      if (members === null) {
        const inside = (flags | ts.TypeFormatFlags.InTypeAlias) as ts.TypeFormatFlags;
        lines.push(`type ${symbol.name} = ${this.#checker.typeToString(type, undefined, inside)}`);
        this.#reachParts(type);
      } else {
        lines.push(`type ${symbol.name}`, ...members.map((member) => `  ${member}`));
      }
    }
    return lines.map(sortChoices);
  }

  /** @returns null for a type that is better described by its name, or by the names in it */
  #members(type: ts.Type): string[] | null {
    const variants = type.isUnion() ? type.types : [type];
    if (!variants.every((each) => each.isIntersection() || each.flags & ts.TypeFlags.Object)) return null;
    const all = variants.map((each) =>
      each
        .getProperties()
        .filter((property) => isOwn(property))
        .map((property) => this.#member(property)),
    );
    const names = [...new Set(all.flat())].sort();
    return names.map((member) => {
      const inThose = all.flatMap((members, index) => (members.includes(member) ? [index + 1] : []));
      return inThose.length === all.length ? member : `${member} (variant ${inThose.join(', ')})`;
    });
  }

  #member(symbol: ts.Symbol): string {
    const type = this.#checker.getTypeOfSymbol(symbol);
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
    return `${symbol.name}${isOptional ? '?' : ''}: ${this.#text(type)}`;
  }

  #text(type: ts.Type): string {
    this.#reach(type);
    return this.#checker.typeToString(type, undefined, flags);
  }

  /** A named type is described once, separately. */
  #reach(type: ts.Type): void {
    const symbol = type.aliasSymbol ?? (isNamed(type) ? type.symbol : undefined);
    if (symbol !== undefined && isOwn(symbol)) {
      if (!this.#known.has(symbol)) {
        this.#known.add(symbol);
        this.#reached.push(symbol);
      }
      for (const argument of type.aliasTypeArguments ?? []) this.#reach(argument);
      return;
    }
    this.#reachParts(type);
  }

  #reachParts(type: ts.Type): void {
    if (type.isUnionOrIntersection()) {
      for (const part of type.types) this.#reach(part);
    } else if (type.flags & ts.TypeFlags.Object) {
      for (const argument of this.#checker.getTypeArguments(type as ts.TypeReference)) this.#reach(argument);
      if (type.symbol.declarations?.every((each) => !isOurs(each)) === true) return;
      for (const property of type.getProperties()) this.#reach(this.#checker.getTypeOfSymbol(property));
      for (const signature of type.getCallSignatures()) {
        for (const parameter of signature.parameters) this.#reach(this.#checker.getTypeOfSymbol(parameter));
        this.#reach(signature.getReturnType());
      }
    }
  }
}

function isUnionOfNames({ declarations = [] }: ts.Symbol): boolean {
  const [alias] = declarations.filter((each) => ts.isTypeAliasDeclaration(each));
  return (
    alias !== undefined && ts.isUnionTypeNode(alias.type) && alias.type.types.every(ts.isTypeReferenceNode)
  );
}

function isNamed(type: ts.Type): boolean {
  return type.aliasSymbol !== undefined || (type.isClassOrInterface() && type.symbol.name !== '__type');
}

/** Excludes members inherited from classes such as Error, and declarations of Node or the language. */
function isOwn(symbol: ts.Symbol): boolean {
  return symbol.declarations === undefined || symbol.declarations.some(isOurs);
}

function isOurs(declaration: ts.Declaration): boolean {
  return resolve(declaration.getSourceFile().fileName).startsWith(ownFolder);
}

/** Texts and numbers between which a type chooses, in their order: the compiler's order depends on the program. */
function sortChoices(line: string): string {
  return line
    .replaceAll(/"[^"]*"(?: \| "[^"]*")+/g, (choices) => choices.split(' | ').sort().join(' | '))
    .replaceAll(/\d+(?: \| \d+)+/g, (choices) =>
      choices
        .split(' | ')
        .sort((one, other) => Number(one) - Number(other))
        .join(' | '),
    );
}
