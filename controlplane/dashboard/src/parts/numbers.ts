import { locale } from '../i18n/language';

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });

/** A count: exact while it is small enough to read, then rounded. */
export function amount(count: number): string {
  return Math.abs(count) < 100_000 ? whole.format(count) : short.format(count);
}

/** A number with as many digits behind the point. */
export function decimal(value: number, digits: number): string {
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

const money = (digits: number) =>
  new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', minimumFractionDigits: digits, maximumFractionDigits: digits });
const sum = money(2);
const smallSum = money(4);

const smallest = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', maximumSignificantDigits: 2 });

/** Dollars: small sums keep the digits that tell them apart, from each other and from nothing. */
export function dollars(usd: number): string {
  const size = Math.abs(usd);
  if (size === 0 || size >= 1) return sum.format(usd);
  return (size < 0.0001 ? smallest : smallSum).format(usd);
}

const wholeSum = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: 9 });

/** Dollars with every digit that is billed. */
export function exactDollars(usd: number): string {
  return wholeSum.format(usd);
}

const part = new Intl.NumberFormat(locale, { style: 'percent' });
const finePart = new Intl.NumberFormat(locale, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A share, from 0 to 1. */
export function percent(share: number): string {
  return part.format(share);
}

/** A share that the API rounded to a tenth of a percent. */
export function exactPercent(share: number): string {
  return finePart.format(share);
}

const minute = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
const second = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
const time = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
const dayOfWeek = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' });

/** A moment in the reader's own time. */
export function when(timestamp: string): string {
  return minute.format(new Date(timestamp));
}

/** The same to the second. */
export function precisely(timestamp: string): string {
  return second.format(new Date(timestamp));
}

/** The time of the day alone, to the second. */
export function clock(timestamp: string): string {
  return time.format(new Date(timestamp));
}

/** The time, and of another day the day as well. */
export function moment(timestamp: string): string {
  return new Date(timestamp).toDateString() === new Date().toDateString() ? clock(timestamp) : when(timestamp);
}

/** What a day is called; 1 is Monday. */
export function weekday(day: number): string {
  // the fifth of January 1970 was a Monday
  return dayOfWeek.format(new Date(Date.UTC(1970, 0, 4 + day)));
}

const unit = (name: string) => new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: 0 });

const inMilliseconds = unit('millisecond');

/** From the largest; of each, in milliseconds. */
const UNITS = [
  [unit('day'), 86_400_000],
  [unit('hour'), 3_600_000],
  [unit('minute'), 60_000],
  [unit('second'), 1_000],
] as const;

/** How long something takes or took, in the largest unit that fits. */
export function span(milliseconds: number): string {
  const [format, size] = UNITS.find(([, size]) => milliseconds >= size) ?? [inMilliseconds, 1];
  return format.format(Math.floor(milliseconds / size));
}

/** A time that is compared with others, and therefore in one unit. */
export function milliseconds(duration: number): string {
  return inMilliseconds.format(duration);
}
