import type { components } from '../../api/schema';

export type Key = components['schemas']['KeyView'];
type Limit = components['schemas']['RateLimit'];

/** What a form says about a key. An empty number is no limit, and an empty `expiresAt` no end. */
export type KeyValues = {
  name: string;
  allowedModels: string[];
  allowedConnections: string[];
  scopes: string[];
  /** As an input of the type `datetime-local` has it: in the reader's own time. */
  expiresAt: string;
  rpm: number | string;
  tpm: number | string;
  concurrency: number | string;
  rateLimits: Limit[];
  noLog: boolean;
};

export const newKey: KeyValues = {
  name: '',
  allowedModels: [],
  allowedConnections: [],
  scopes: ['inference'],
  expiresAt: '',
  rpm: '',
  tpm: '',
  concurrency: '',
  rateLimits: [],
  noLog: false,
};

export function valuesOf(key: Key): KeyValues {
  return {
    name: key.name,
    allowedModels: key.allowedModels,
    allowedConnections: key.allowedConnections,
    scopes: key.scopes,
    expiresAt: key.expiresAt ? local(key.expiresAt) : '',
    rpm: key.rpm ?? '',
    tpm: key.tpm ?? '',
    concurrency: key.concurrency ?? '',
    rateLimits: key.rateLimits ?? [],
    noLog: key.noLog,
  };
}

/** As the API takes it: what is empty is taken back. */
export function bodyOf({ name, allowedModels, allowedConnections, scopes, noLog, expiresAt, rateLimits, ...numbers }: KeyValues) {
  const number = (value: number | string) => (value === '' ? null : Number(value));
  return {
    name: name.trim(),
    allowedModels,
    allowedConnections,
    scopes,
    noLog,
    expiresAt: expiresAt === '' ? null : new Date(expiresAt).toISOString(),
    rpm: number(numbers.rpm),
    tpm: number(numbers.tpm),
    concurrency: number(numbers.concurrency),
    rateLimits: rateLimits.length > 0 ? rateLimits : null,
  };
}

/** Of a key's body only what somebody changed: an end that is shown to the minute was stored to the millisecond. */
export function changesOf(values: KeyValues, before: KeyValues): Partial<ReturnType<typeof bodyOf>> {
  const isSame = (name: string) => JSON.stringify(values[name as keyof KeyValues]) === JSON.stringify(before[name as keyof KeyValues]);
  return Object.fromEntries(Object.entries(bodyOf(values)).filter(([name]) => !isSame(name)));
}

/** A moment for an input of the type `datetime-local`, which knows no time zone. */
function local(timestamp: string): string {
  const moment = new Date(timestamp);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
