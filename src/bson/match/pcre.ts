/**
 * Translates regular expressions from PCRE, the syntax of MongoDB, to JavaScript. Syntax with the same meaning is kept,
 * syntax with another meaning is translated, and everything else is refused, because a filter must choose the same documents
 * as MongoDB.
 * https://www.pcre.org/current/doc/html/pcre2pattern.html
 */
import { UnsupportedError } from './errors.ts';

/** `\s` of PCRE. That of JavaScript also matches the spaces of Unicode. */
const space = '\\t-\\r ';
/** `\v` is a class in PCRE and one character in JavaScript. References to a group that did not match differ as well. */
const otherEscapes = /[vu1-9kS]/;

/** @param flags some of `imsux` @throws UnsupportedError */
export function translateRegex(pattern: string, flags: string): RegExp {
  try {
    if (flags.includes('x')) throw new SyntaxError('the option x');
    // With `u`, JavaScript refuses escapes without a meaning, and matches code points, like PCRE.
    return new RegExp(translatePattern(pattern, flags), flags.includes('i') ? 'iu' : 'u');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UnsupportedError(`the regular expression /${pattern}/${flags} (${error.message})`);
  }
}

function translatePattern(pattern: string, flags: string): string {
  const anchors = flags.includes('m')
    ? { '^': '(?:^|(?<=\\n)(?!$))', $: '(?=\\n|$)' }
    : { '^': '^', $: '(?=\\n?$)' };
  const outside: Readonly<Record<string, string>> = {
    ...anchors,
    '.': flags.includes('s') ? '[^]' : '[^\\n]',
  };
  const out: string[] = [];
  let isInClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at, at + 4);
    const char = rest.charAt(0);
    if (char === '\\') {
      out.push(translateEscape(rest.charAt(1), isInClass));
      at++;
    } else if (isInClass) {
      isInClass = char !== ']';
      out.push(char);
    } else if (char === '[') {
      if (/^\[\^?\]/.test(rest)) throw new SyntaxError('a class that begins with ]');
      isInClass = true;
      out.push(char);
    } else {
      if (/^\(\?[^:=!<]/.test(rest)) throw new SyntaxError(`${rest.slice(0, 3)} in a group`);
      out.push(outside[char] ?? char);
    }
  }
  return out.join('');
}

/** @param escaped the character after the backslash */
function translateEscape(escaped: string, isInClass: boolean): string {
  if (escaped === 's') return isInClass ? space : `[${space}]`;
  if (escaped === 'S' && !isInClass) return `[^${space}]`;
  if (otherEscapes.test(escaped)) throw new SyntaxError(`\\${escaped}`);
  // PCRE allows escaping any other sign; JavaScript with `u` only signs with a special meaning.
  const isSign = /^[^A-Za-z0-9^$\\.*+?()[\]{}|/-]$/.test(escaped) || (escaped === '-' && !isInClass);
  return isSign ? escaped : `\\${escaped}`;
}
