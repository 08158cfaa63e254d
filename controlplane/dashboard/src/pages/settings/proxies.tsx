import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { Place } from '../../parts/proxies';
import { ProxyList } from '../../parts/proxy-list';
import { Loaded } from '../../parts/states';
import { Section } from './group';

/** What a proxy can be for. */
async function readPlaces(): Promise<Place[]> {
  const [{ catalog }, { combos }, { connections }] = await Promise.all([
    unwrap(api.GET('/api/models/catalog')),
    unwrap(api.GET('/api/combos')),
    unwrap(api.GET('/api/providers')),
  ]);
  return [
    { level: 'global', id: null, name: t('everything') },
    ...Object.values(catalog).map(({ id, provider }) => ({ level: 'provider' as const, id, name: t('provider {name}', { name: provider }) })),
    ...combos.map(({ id, name }) => ({ level: 'combo' as const, id, name: t('combo {name}', { name }) })),
    ...connections.map(({ id, name, provider }) => ({ level: 'key' as const, id, name: t('connection {name}', { name: name ?? provider }) })),
  ];
}

/** Proxies that calls to providers go through; the closest to the connection counts. */
export function ProxySettings() {
  const places = useQuery({ queryKey: ['settings', 'proxy-places'], queryFn: readPlaces });
  return (
    <Section
      title={t('Proxies')}
      hint={t("What calls to providers go through. A connection's own comes before its combo's, that before its provider's, that before the one for everything.")}
      role="admin"
    >
      <Loaded query={places}>{(known) => <ProxyList places={known} none={t('No proxy yet: providers are called directly.')} />}</Loaded>
    </Section>
  );
}
