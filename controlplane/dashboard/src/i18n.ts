import { IntlMessageFormat } from 'intl-messageformat';
import { Fragment, type ReactNode, createElement } from 'react';
import { type Language, language, locale } from './i18n/language';

/** What is loaded beside English, and only where it is read. */
const catalogues: Record<Exclude<Language, 'en'>, () => Promise<{ default: Record<string, string> }>> = {
  id: () => import('./i18n/id'),
};

/**
 * Texts. English stands where it is used and is the key of every other catalogue, in ICU's syntax: `{name}` is a value,
 * `{count, plural, one {# model} other {# models}}` depends on one. A text that a catalogue lacks stays English; the
 * tests see to it that there is none.
 *
 * The catalogue is there before any module that uses it runs, so a text may be read anywhere, also in a constant.
 */
const catalogue: Record<string, string> = language === 'en' ? {} : (await catalogues[language]()).default;

type Plain = string | number;

/** Where one English word is two in other languages, `‹…›` behind it says which; nobody reads that. */
const english = (message: string) => message.replace(/ ‹.*›$/, '');

const formats = new Map<string, IntlMessageFormat>();

function formatOf(message: string): IntlMessageFormat {
  const known = formats.get(message);
  if (known) return known;
  // a message never has markup of its own: `<` is a character
  const format = new IntlMessageFormat(catalogue[message] ?? english(message), locale, undefined, { ignoreTag: true });
  formats.set(message, format);
  return format;
}

/** A text in the reader's language. */
export function t(message: string, values?: Record<string, Plain>): string {
  return values ? String(formatOf(message).format(values)) : (catalogue[message] ?? english(message));
}

/** A text around elements. */
export function rich(message: string, values: Record<string, ReactNode>): ReactNode {
  const parts = formatOf(message).format<ReactNode>(values as Record<string, Plain>);
  return createElement(Fragment, null, ...(Array.isArray(parts) ? parts : [parts]));
}
