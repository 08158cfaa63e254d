import { SimpleGrid } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { amount, when } from '../../parts/numbers';
import { Figure, Section } from '../../parts/section';
import { Loaded } from '../../parts/states';
import { size } from './words';

/** How large the database is, of which a backup holds only the configuration. */
export function Storage() {
  const query = useQuery({ queryKey: ['storage'], queryFn: () => unwrap(api.GET('/api/storage/health')), refetchInterval: 60_000 });
  return (
    <Section title={t('Storage')} hint={t('The database, of which a backup holds the configuration alone.')}>
      <Loaded query={query}>
        {({ driver, version, sizeBytes, usageEvents, oldestUsageAt }) => (
          <SimpleGrid cols={{ base: 1, xs: 3 }}>
            <Figure label={t('Database')} value={version}>
              {driver}
            </Figure>
            <Figure label={t('Size')} value={size(sizeBytes)}>
              {t('with the log of requests')}
            </Figure>
            <Figure label={t('Requests in the log')} value={usageEvents === 0 && oldestUsageAt ? t('not counted yet') : t('about {count}', { count: amount(usageEvents) })}>
              {oldestUsageAt ? t('the oldest of {moment}', { moment: when(oldestUsageAt) }) : t('none yet')}
            </Figure>
          </SimpleGrid>
        )}
      </Loaded>
    </Section>
  );
}
