import type { components } from '../../api/schema';

type Sum = components['schemas']['Sum'];

/** What a row of every table ends with, as the management API calls it. */
const COUNTS = [
  'requests',
  'errors',
  'givenAgain',
  'promptTokens',
  'cacheReadTokens',
  'cacheCreationTokens',
  'completionTokens',
  'reasoningTokens',
  'cost',
  'adjustment',
  'unpricedRequests',
] as const satisfies (keyof Sum)[];

/** A table as a file that spreadsheets read (RFC 4180): first what each row is about, then its counts. */
export function csvOf<T extends Sum>(rows: T[], about: (keyof T & string)[]): string {
  const lines = [[...about, ...COUNTS], ...rows.map((row) => [...about.map((name) => cell(row[name])), ...COUNTS.map((name) => String(row[name]))])];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

/** Quoted where a comma would end it. What a spreadsheet would take for a formula gets a quotation mark before it. */
function cell(value: unknown): string {
  const text = value == null ? '' : String(value);
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
