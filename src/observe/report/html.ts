/** An HTML template tag that escapes every value that is not HTML already. Names of collections may contain anything. */

/** Text that is safe to insert into a page. */
export class Html {
  readonly text: string;

  /** @param text trusted: a constant, or a result of `html` */
  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = string | number | Html | readonly Html[];

/** For elements and for attributes in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const texts = parts.map((part, index) => {
    const value = values[index];
    return value === undefined ? part : part + toText(value);
  });
  return new Html(texts.join(''));
}

/** Data for a script of the page, in an element that is not executed. */
export function jsonElement(className: string, data: unknown): Html {
  // `</script>` and `<!--` would end or change the element, even inside a JSON string.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return html`<script type="application/json" class="${className}">
    ${new Html(json)}
  </script>`;
}

/**
 * @param code inserted unchanged, because the policy of the page may contain its hash
 * @param nonce if the policy of the page names one
 */
export function scriptElement(code: string, nonce?: string): Html {
  return new Html(`<script${nonceAttribute(nonce)}>${code}</script>`);
}

export function styleElement(rules: string, nonce?: string): Html {
  return new Html(`<style${nonceAttribute(nonce)}>${rules}</style>`);
}

function nonceAttribute(nonce: string | undefined): string {
  return nonce === undefined ? '' : html` nonce="${nonce}"`.text;
}

function toText(value: HtmlValue): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeHtml(value);
  return value.map(({ text }) => text).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return showInvisible(text.replace(/[&<>"']/g, (character) => entities[character] ?? character));
}

/** Replaces invisible characters, and those that change the text direction, by their code points. */
export function showInvisible(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
