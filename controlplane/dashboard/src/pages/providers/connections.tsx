import { Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { showApplied } from '../../parts/failure';
import type { Proxy } from '../../parts/proxies';
import { Sorted } from '../../parts/sorted';
import { ConnectionRow } from './connection-row';
import { type Catalog, type Connection, moved, nameOf, ordered } from './groups';
import type { Standing } from './standing';

type Props = {
  provider: string;
  entry: Catalog[string] | undefined;
  connections: Connection[];
  /** Those of connections, by their ids. */
  proxies: Record<string, Proxy>;
  standing: Standing | undefined;
  onChanged: () => Promise<void>;
};

/** The connections of one provider in the order they are tried, moved by a pointer or by the keyboard. */
export function Connections({ provider, entry, connections, proxies, standing, onChanged }: Props) {
  // as it was dropped, until the API says the same
  const [order, setOrder] = useState<string[] | null>(null);
  const move = useMutation({
    mutationFn: ({ id, priority }: { id: string; priority: number; name: string }) =>
      settle(api.PATCH('/api/providers/{id}', { params: { path: { id }, query: { wait: 'applied' } }, body: { priority } })),
    onSuccess: ({ applied }, { name, priority }) => showApplied(t('{name} is now tried at place {priority}', { name, priority }), applied),
    onSettled: async () => {
      await onChanged();
      setOrder(null);
    },
  });
  if (connections.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('No connection yet: requests to this endpoint are refused until it has one.')}
      </Text>
    );
  }
  const shown = ordered(connections, order);
  const ids = shown.map(({ id }) => id);
  function drop(from: number, to: number) {
    const connection = shown[from];
    if (!connection) return;
    setOrder(moved(ids, connection.id, to));
    move.mutate({ id: connection.id, priority: to + 1, name: nameOf(connection) });
  }
  const several = connections.length > 1;
  return (
    <Sorted items={shown.map((connection) => ({ id: connection.id, name: nameOf(connection) }))} onMove={drop} disabled={!several || move.isPending}>
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing="xs" aria-label={t('Connections of {provider}', { provider })}>
          <Table.Thead>
            <Table.Tr>
              {several && (
                <Table.Th w={40}>
                  <VisuallyHidden>{t('Order of trying')}</VisuallyHidden>
                </Table.Th>
              )}
              <Table.Th>{t('Connection')}</Table.Th>
              <Table.Th>{t('Key')}</Table.Th>
              <Table.Th>{t('Status')}</Table.Th>
              <Table.Th>{t('Enabled')}</Table.Th>
              <Table.Th>
                <VisuallyHidden>{t('Actions')}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((connection) => (
              <ConnectionRow
                key={connection.id}
                connection={connection}
                entry={entry}
                proxy={proxies[connection.id]}
                movable={several}
                standing={standing}
                onChanged={onChanged}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Sorted>
  );
}
