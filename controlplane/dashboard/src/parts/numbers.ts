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

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the reader's own time. */
export function when(timestamp: string): string {
  return moment.format(new Date(timestamp));
}
