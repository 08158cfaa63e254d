import { IconArrowsShuffle, IconKey, IconPlugConnected, IconRocket, IconTag, type TablerIcon } from '@tabler/icons-react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import { type Path, groups } from '../navigation';

/** Something one can go to. `words` are found as well as the label. */
export type Entry = { id: string; kind: string; label: string; hint?: string; words: string[]; to: Path | '/setup'; icon: TablerIcon };

export const pageEntries: Entry[] = [
  ...groups.flatMap(({ label: group, pages }) =>
    pages.map(({ to, label, icon, words }): Entry => ({
      id: `page:${to}`,
      kind: t('Pages'),
      label,
      ...(group && { hint: group }),
      words: words.split(' '),
      to,
      icon,
    })),
  ),
  { id: 'page:/setup', kind: t('Pages'), label: t('Set up'), hint: t('First steps'), words: t('wizard start first request').split(' '), to: '/setup', icon: IconRocket },
];

/** What has a name of the operator's own. */
export const namedEntriesQuery = {
  queryKey: ['palette'],
  queryFn: async (): Promise<Entry[]> => {
    const [{ connections }, { nodes }, { combos }, { keys }, alias] = await Promise.all([
      unwrap(api.GET('/api/providers')),
      unwrap(api.GET('/api/provider-nodes')),
      unwrap(api.GET('/api/combos')),
      unwrap(api.GET('/api/keys')),
      unwrap(api.GET('/api/models/alias')),
    ]);
    const prefixes = new Map(nodes.map((node) => [node.id, node.prefix]));
    const aliases = 'aliases' in alias ? alias.aliases : {};
    return [
      ...nodes.map(({ id, name, prefix }): Entry => ({
        id: `node:${id}`,
        kind: t('Providers'),
        label: name,
        hint: `${prefix}/…`,
        words: [prefix],
        to: '/providers',
        icon: IconPlugConnected,
      })),
      ...connections.map(({ id, name, email, provider }): Entry => ({
        id: `connection:${id}`,
        kind: t('Providers'),
        label: name ?? email ?? id,
        hint: prefixes.get(provider) ?? provider,
        words: [prefixes.get(provider) ?? provider],
        to: '/providers',
        icon: IconPlugConnected,
      })),
      ...combos.map(({ id, name, strategy }): Entry => ({ id: `combo:${id}`, kind: t('Combos'), label: name, hint: strategy, words: [], to: '/combos', icon: IconArrowsShuffle })),
      ...keys.map(({ id, name, key }): Entry => ({ id: `key:${id}`, kind: t('API keys'), label: name, hint: key, words: [], to: '/keys', icon: IconKey })),
      ...Object.entries(aliases).map(([name, model]): Entry => ({
        id: `alias:${name}`,
        kind: t('Aliases'),
        label: name,
        hint: model,
        words: [model],
        to: '/aliases',
        icon: IconTag,
      })),
    ];
  },
};

/** By kind, in the order in which they came; what was chosen lately is a kind of its own, before. */
export function grouped(entries: Entry[], recent: string[]): [kind: string, entries: Entry[]][] {
  const lately = recent.flatMap((id) => entries.find((entry) => entry.id === id) ?? []);
  const kinds = new Map<string, Entry[]>(lately.length > 0 ? [[t('Recent'), lately]] : []);
  for (const entry of entries) {
    if (lately.includes(entry)) continue;
    const kind = kinds.get(entry.kind);
    if (kind) kind.push(entry);
    else kinds.set(entry.kind, [entry]);
  }
  return [...kinds];
}
