/**
 * Regular expressions of PCRE, which MongoDB has, as those of JavaScript. What means the same is kept, what means
 * something else is translated, and all else is refused: a filter must choose the documents that MongoDB would.
 * https://www.pcre.org/current/doc/html/pcre2pattern.html
 */
import { UnsupportedError } from './errors.ts';

/** `\s` of PCRE; that of JavaScript has the spaces of Unicode as well. */
const space = '\\t-\\r ';
/** `\v` is a class in PCRE and one character in JavaScript; a group that took no part is empty in JavaScript only. */
const otherEscapes = /[vu1-9kS]/;

/** @param flags of `imsux` @throws UnsupportedError */
export function translateRegex(pattern: string, flags: string): RegExp {
  try {
    if (flags.includes('x')) throw new SyntaxError('the option x');
    // With `u`, JavaScript refuses whatever it has no meaning for, and takes characters for what PCRE takes them for.
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

/** @param escaped what comes after the backslash */
function translateEscape(escaped: string, isInClass: boolean): string {
  if (escaped === 's') return isInClass ? space : `[${space}]`;
  if (escaped === 'S' && !isInClass) return `[^${space}]`;
  if (otherEscapes.test(escaped)) throw new SyntaxError(`\\${escaped}`);
  // PCRE takes any other sign for itself, JavaScript only those that have a meaning.
  const isSign = /^[^A-Za-z0-9^$\\.*+?()[\]{}|/-]$/.test(escaped) || (escaped === '-' && !isInClass);
  return isSign ? escaped : `\\${escaped}`;
}
