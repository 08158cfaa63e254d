import { IntlMessageFormat } from 'intl-messageformat';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import id from './id';
import { readTexts } from './texts';

const { texts, loose } = readTexts(join(import.meta.dirname, '..'));
const catalogues = { id };

/** What a text leaves open: names of values, also inside of choices. */
function values(message: string): string[] {
  const names = new Set<string>();
  JSON.stringify(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst(), (_, part: unknown) => {
    if (part && typeof part === 'object' && 'type' in part && 'value' in part && part.type !== 0) names.add(String(part.value));
    return part;
  });
  return [...names].sort();
}

test('the program shows texts, and no text that cannot be translated', () => {
  expect(texts.size).toBeGreaterThan(500);
  expect(loose).toEqual([]);
});

test.each(Object.entries(catalogues))('the catalogue %s has every text, and none that is not shown any more', (_, catalogue) => {
  const missing = [...texts].filter(([message]) => !(message in catalogue)).map(([message, at]) => `${at} ${message}`);
  expect(missing).toEqual([]);
  expect(Object.keys(catalogue).filter((message) => !texts.has(message))).toEqual([]);
});

test.each(Object.entries(catalogues))('every text of the catalogue %s says something, and fills in what English fills in', (_, catalogue) => {
  for (const [message, translated] of Object.entries<string>(catalogue)) {
    expect(translated.trim(), message).not.toBe('');
    expect(values(translated), message).toEqual(values(message));
  }
});
