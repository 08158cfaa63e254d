/** A text in the query of an address or in a field of a filter, without what is around it; '' where there is none. */
export function searchText(value: unknown): string {
  // a name of digits is read from an address as a number
  return typeof value === 'string' || typeof value === 'number' ? `${value}`.trim() : '';
}

/** Whether it is a time as an input of the type `datetime-local` gives it: in the reader's own time zone. */
export const isMoment = (value: string | undefined): value is string =>
  value !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value));

/** Whether a text has each of some words in it, in any order and case. */
export function hasWords(text: string, words: string): boolean {
  const lower = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
}
