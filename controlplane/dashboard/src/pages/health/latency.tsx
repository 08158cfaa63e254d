import { Code, SegmentedControl, Table, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { useProviderName } from '../../parts/names';
import { amount } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';

const WINDOWS = [
  { value: '300000', label: t('5 minutes') },
  { value: '3600000', label: t('Hour') },
  { value: '86400000', label: t('Day') },
];
const PHASES = [
  ['resolve', t('until a provider was called')],
  ['connect', t('until it answered')],
  ['stream', t('from the first event to the last')],
] as const;

/** How long answers take to begin: percentiles of the requests themselves. */
export function Latency() {
  const [windowMs, setWindow] = useState('300000');
  const provider = useProviderName();
  const query = useQuery({
    queryKey: ['telemetry', windowMs],
    queryFn: () => unwrap(api.GET('/api/telemetry/summary', { params: { query: { windowMs: Number(windowMs) } } })),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });
  return (
    <Section
      title={t('Latency')}
      hint={t('Milliseconds until an answer began: half, 95 and 99 of 100 requests took no longer.')}
      action={<SegmentedControl aria-label={t('Window')} size="xs" value={windowMs} onChange={setWindow} data={WINDOWS} />}
    >
      <Loaded
        query={query}
        empty={({ count }) => count === 0 && <Empty title={t('No request in this time')} hint={t('Send one, or choose a longer time.')} />}
      >
        {(summary) => (
          <Table.ScrollContainer minWidth={460}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Of')}</Table.Th>
                  <Table.Th ta="right">{t('Requests')}</Table.Th>
                  <Table.Th ta="right">p50</Table.Th>
                  <Table.Th ta="right">p95</Table.Th>
                  <Table.Th ta="right">p99</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                <Row name={t('All requests')} {...summary} />
                {Object.entries(summary.providers).map(([id, percentiles]) => (
                  <Row key={id} name={<Code>{provider(id)}</Code>} {...percentiles} />
                ))}
                {PHASES.map(([id, meaning]) => {
                  const phase = summary.phaseBreakdown[id];
                  return phase && <Row key={id} name={<Text size="sm">{meaning}</Text>} {...phase} />;
                })}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </Section>
  );
}

function Row({ name, count, p50, p95, p99 }: { name: ReactNode; count: number; p50: number; p95: number; p99?: number }) {
  return (
    <Table.Tr>
      <Table.Td>{name}</Table.Td>
      <Table.Td ta="right">{amount(count)}</Table.Td>
      <Table.Td ta="right">{amount(p50)}</Table.Td>
      <Table.Td ta="right">{amount(p95)}</Table.Td>
      <Table.Td ta="right">{p99 === undefined ? '–' : amount(p99)}</Table.Td>
    </Table.Tr>
  );
}
