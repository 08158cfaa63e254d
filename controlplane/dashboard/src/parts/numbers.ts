const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** A count: exact while it is small enough to read, then rounded. */
export function amount(count: number): string {
  return Math.abs(count) < 100_000 ? whole.format(count) : short.format(count);
}

/** Dollars: small sums keep the digits that tell them apart. */
export function dollars(usd: number): string {
  const digits = usd !== 0 && Math.abs(usd) < 1 ? 4 : 2;
  return `$${usd.toFixed(digits)}`;
}

/** A share, from 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the reader's own time. */
export function when(timestamp: string): string {
  return moment.format(new Date(timestamp));
}

/** From the largest; of each, in milliseconds. */
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** How long something takes or took, in the largest unit that fits. */
export function span(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => milliseconds >= size) ?? ['ms', 1];
  return `${Math.floor(milliseconds / size)} ${unit}`;
}
