import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { html, jsonElement } from '../../../../src/observe/report/html.ts';

describe('html', () => {
  it('escapes text and attributes, and takes its own as it is', () => {
    const inner = html`<b title="${`"'`}">${'<a&b>'}</b>`;
    assert.equal(inner.text, '<b title="&quot;&#39;">&lt;a&amp;b&gt;</b>');
    assert.equal(html`<p>${inner}${7}${[inner]}</p>`.text, `<p>${inner.text}7${inner.text}</p>`);
  });

  it('shows what nobody would see, and what would turn the direction of the rest', () => {
    assert.equal(html`${'a\u0000b\u202ec\u200bd'}`.text, 'a\\u{0}b\\u{202e}c\\u{200b}d');
  });

  it('leaves other characters alone, those of several parts and line ends among them', () => {
    assert.equal(html`${'naïve 🦊 日本\n\tx'}`.text, 'naïve 🦊 日本\n\tx');
  });
});

describe('jsonElement', () => {
  it('holds data that no value of it can end early, and that reads as it was', () => {
    const data = { name: '</script><script>alert(1)</script><!--' };
    const { text } = jsonElement('data', data);
    const content = /^<script type="application\/json" class="data">([^<]*)<\/script>$/.exec(text)?.[1];
    assert.deepEqual(JSON.parse(content ?? 'null'), data);
  });
});
