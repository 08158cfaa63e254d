import { isValidElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { afterEach, expect, test, vi } from 'vitest';

async function load(...languages: string[]) {
  vi.resetModules();
  vi.stubGlobal('navigator', { languages });
  return import('./i18n');
}

afterEach(() => vi.unstubAllGlobals());

test('a text comes in the language that the browser prefers, with its values', async () => {
  const { t } = await load('id-ID');
  expect(t('Save')).toBe('Simpan');
  expect(t('Delete {what}?', { what: '<b>' })).toBe('Hapus <b>?');
  expect(t('Answers ‹verb›')).not.toBe(t('Answers'));
});

test('English is what stands in the program, without the mark that tells two words apart', async () => {
  const { t } = await load('de', 'en-GB');
  expect([t('Save'), t('Answers ‹verb›'), t('Delete {what}?', { what: "'{x}'" })]).toEqual(['Save', 'Answers', "Delete '{x}'?"]);
});

test('elements stand where the language puts them', async () => {
  const { rich } = await load('id');
  const text = rich('Merge into {path}.', { path: <code>~/.x</code> });
  expect(isValidElement(text)).toBe(true);
  expect(renderToStaticMarkup(<>{text}</>)).toBe('Gabungkan ke <code>~/.x</code>.');
});
