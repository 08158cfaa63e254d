import type { RequestFilter } from '../request-filter';

/** What the management API calls the parts of a filter, as the query of an address. */
export function logQuery({ status, model, key }: RequestFilter, more: Record<string, string> = {}): string {
  const said = Object.entries({ status, model, apiKey: key, ...more });
  return new URLSearchParams(said.filter((part): part is [string, string] => part[1] !== undefined)).toString();
}
