import { t } from '../../i18n';
import type { components } from '../../api/schema';

export type Connection = components['schemas']['ConnectionView'];
export type Catalog = components['schemas']['Catalog']['catalog'];

/** A provider as the page shows it: what it is called, and its connections in the order they are tried. */
export type Provider = { id: string; prefix: string; name: string; connections: Connection[] };

/** Providers with a connection, and all endpoints of the operator's own: an endpoint without one still needs a place. */
export function groupByProvider(connections: Connection[], catalog: Catalog): Provider[] {
  const groups = new Map<string, Provider>();
  for (const [prefix, entry] of Object.entries(catalog)) {
    groups.set(entry.id, { id: entry.id, prefix, name: entry.provider, connections: [] });
  }
  for (const connection of connections) {
    const id = connection.provider;
    const group = groups.get(id) ?? { id, prefix: id, name: id, connections: [] };
    groups.set(id, { ...group, connections: [...group.connections, connection] });
  }
  const custom = new Set(Object.values(catalog).flatMap((entry) => (entry.custom ? [entry.id] : [])));
  return [...groups.values()]
    .filter((group) => group.connections.length > 0 || custom.has(group.id))
    .sort((one, other) => one.name.localeCompare(other.name));
}

export function find(catalog: Catalog, id: string): Catalog[string] | undefined {
  return Object.values(catalog).find((entry) => entry.id === id);
}

/** What a select offers: endpoints of one's own first, they were made to be used. */
export function choices(catalog: Catalog): { group: string; items: { value: string; label: string }[] }[] {
  // accounts are signed in to, and take no key
  const entries = Object.values(catalog)
    .filter((entry) => entry.authType === 'apikey')
    .sort((one, other) => one.provider.localeCompare(other.provider));
  const pick = (custom: boolean) =>
    entries.filter((entry) => entry.custom === custom).map((entry) => ({ value: entry.id, label: entry.provider }));
  return [
    { group: t('Your endpoints'), items: pick(true) },
    { group: t('Providers'), items: pick(false) },
  ].filter(({ items }) => items.length > 0);
}

/** What people call a connection. */
export const nameOf = ({ name, email, id }: Connection) => name ?? email ?? id;

/** In the order of `ids`; what is not among them comes last, as it came. */
export function ordered(connections: Connection[], ids: string[] | null): Connection[] {
  if (!ids) return connections;
  const place = ({ id }: Connection) => (ids.includes(id) ? ids.indexOf(id) : ids.length);
  return connections.toSorted((one, other) => place(one) - place(other));
}

/** A list with one of it at another place. */
export function moved(ids: string[], id: string, place: number): string[] {
  return ids.filter((other) => other !== id).toSpliced(place, 0, id);
}
