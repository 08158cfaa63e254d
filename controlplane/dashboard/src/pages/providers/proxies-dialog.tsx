import { Stack, Text } from '@mantine/core';
import { t } from '../../i18n';
import { Needs } from '../../parts/authority';
import { Dialog } from '../../parts/dialog';
import type { Place } from '../../parts/proxies';
import { ProxyList } from '../../parts/proxy-list';
import { type Provider, nameOf } from './groups';

/** The proxies of one provider and of its connections; the settings have those of everything and of combos. */
export function ProxiesDialog({ provider: { id, name, connections }, onClose }: { provider: Provider; onClose: () => void }) {
  const places: Place[] = [
    { level: 'provider', id, name: t('provider {name}', { name }) },
    ...connections.map((connection) => ({ level: 'key' as const, id: connection.id, name: t('connection {name}', { name: nameOf(connection) }) })),
  ];
  return (
    <Dialog onClose={onClose} title={t('Proxies of {name}', { name })} size="lg">
      <Stack>
        <Text size="sm" c="dimmed">
          {t('A connection without a proxy of its own goes through that of a combo it is asked for, of its provider, or of everything, whichever comes first.')}
        </Text>
        <Needs role="admin">
          <ProxyList places={places} none={t('Neither it nor its connections have a proxy of their own yet.')} />
        </Needs>
      </Stack>
    </Dialog>
  );
}
