import { expect, test } from 'vitest';
import { chooseLanguage, chosenLanguage, localeFor, preferred } from './language';

test('the first language that the browser prefers and that there is wins', () => {
  expect(preferred(['de-DE', 'id-ID', 'en-US'])).toBe('id');
  expect(preferred(['EN-gb', 'id'])).toBe('en');
  expect(preferred(['de', 'fr'])).toBe('en');
  expect(preferred([])).toBe('en');
});

test('numbers are written as the reader writes them, in the language that is shown', () => {
  expect(localeFor('en', ['de', 'en-GB', 'en'])).toBe('en-GB');
  expect(localeFor('id', ['en-GB'])).toBe('id');
});

test('a choice is kept until it is taken back, and what nobody could have chosen is none', () => {
  const kept = new Map<string, string>();
  const store = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  expect(chosenLanguage(store)).toBeNull();
  chooseLanguage('id', store);
  expect(chosenLanguage(store)).toBe('id');
  chooseLanguage(null, store);
  expect(chosenLanguage(store)).toBeNull();
  for (const key of ['omniroute.language']) kept.set(key, 'klingon');
  expect(chosenLanguage(store)).toBeNull();
});
