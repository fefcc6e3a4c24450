import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { html, jsonElement } from '../../../../src/observe/report/html.ts';

describe('html', () => {
  it('escapes text and attributes, and keeps its own markup', () => {
    const inner = html`<b title="${`"'`}">${'<a&b>'}</b>`;
    assert.equal(inner.text, '<b title="&quot;&#39;">&lt;a&amp;b&gt;</b>');
    assert.equal(html`<p>${inner}${7}${[inner]}</p>`.text, `<p>${inner.text}7${inner.text}</p>`);
  });

  it('shows invisible characters, and those that change the text direction', () => {
    assert.equal(html`${'a\u0000b\u202ec\u200bd'}`.text, 'a\\u{0}b\\u{202e}c\\u{200b}d');
  });

  it('does not change other characters, including combined ones and line ends', () => {
    assert.equal(html`${'naïve 🦊 日本\n\tx'}`.text, 'naïve 🦊 日本\n\tx');
  });
});

describe('jsonElement', () => {
  it('holds data that no value can end early, and that is read unchanged', () => {
    const data = { name: '</script><script>alert(1)</script><!--' };
    const { text } = jsonElement('data', data);
    const content = /^<script type="application\/json" class="data">([^<]*)<\/script>$/.exec(text)?.[1];
    assert.deepEqual(JSON.parse(content ?? 'null'), data);
  });
});
