import '@mantine/charts/styles.css';
import { BarChart, Heatmap } from '@mantine/charts';
import { Code, Group, ScrollArea, SegmentedControl, SimpleGrid, Stack, Table, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { FilterChoice, FilterForm } from '../parts/filter-form';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { useProviderName } from '../parts/names';
import { amount, dollars, exactDollars, exactPercent } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { ExportMenu } from './usage/export-menu';
import { type Range, RANGES, type UsageFilter, readUsageFilter, usageQuery } from './usage-filter';

type Analytics = components['schemas']['AnalyticsView'];
type Part = components['schemas']['PartView'];

const NAMES: Record<Range, string> = {
  '1d': t('Day'),
  '7d': t('Week'),
  '30d': t('30 days'),
  '90d': t('90 days'),
  ytd: t('This year'),
  all: t('Ever'),
};

/** What was used and what it cost. The filter is part of the address, so that a picture can be passed on. */
export function UsagePage() {
  const narrow = useMediaQuery('(max-width: 36em)', false, { getInitialValueInEffect: false });
  const filter = useSearch({ from: '/frame/usage' });
  const { range, from, to, ...part } = filter;
  const chosen = from || to ? null : (range ?? '30d');
  const navigate = useNavigate();
  const query = useQuery({
    queryKey: ['analytics', filter],
    queryFn: () => unwrap(api.GET('/api/usage/analytics', { params: { query: usageQuery(filter) } })),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  const provider = useProviderName();
  return (
    <>
      <PageHeader
        title={t('Usage')}
        hint={t('What was used, and what it cost.')}
        action={
          <Group gap="sm">
            <SegmentedControl
              aria-label={t('Range')}
              // all six in the width of a phone
              size={narrow ? 'xs' : 'sm'}
              // none of them while there is a time of one's own
              value={chosen ?? ''}
              onChange={(next) => void navigate({ to: '/usage', search: { ...part, range: next as Range } })}
              data={RANGES.map((value) => ({ value, label: NAMES[value] }))}
            />
            <ExportMenu usage={query.data} />
          </Group>
        }
      />
      <Filter key={JSON.stringify(filter)} filter={filter} />
      <Loaded
        query={query}
        empty={({ summary }) =>
          summary.totalRequests === 0 && <Empty title={t('Nothing was used in this time')} hint={t('Send a request, or choose a longer range or more of it.')} />
        }
      >
        {(usage) => <Pictures usage={usage} provider={provider} />}
      </Loaded>
    </>
  );
}

/** Which part, and since when: beside the ranges, for what they do not say. */
function Filter({ filter: { range, from, to, provider, model, key } }: { filter: UsageFilter }) {
  const navigate = useNavigate();
  const name = useProviderName();
  const connections = useQuery({ queryKey: ['providers'], queryFn: () => unwrap(api.GET('/api/providers')) });
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });
  const providers = [...new Set([...(connections.data?.connections ?? []).map((connection) => connection.provider), ...(provider ? [provider] : [])])];
  return (
    <FilterForm
      onApply={(said) => void navigate({ to: '/usage', search: readUsageFilter({ range, ...said }) })}
      onClear={() => void navigate({ to: '/usage', search: {} })}
    >
      <FilterChoice name="provider" label={t('Provider')} any={t('Any provider')} value={provider} data={providers.map((value) => ({ value, label: name(value) }))} />
      <TextInput name="model" label={t('Model')} placeholder={t('as the provider calls it')} defaultValue={model} />
      <FilterChoice
        name="key"
        label={t('API key')}
        any={t('Any API key')}
        value={key}
        data={(keys.data?.keys ?? []).map((known) => ({ value: known.id, label: known.name }))}
        width={180}
      />
      <TextInput name="from" type="datetime-local" label={t('From')} defaultValue={from} />
      <TextInput name="to" type="datetime-local" label={t('Before')} defaultValue={to} />
    </FilterForm>
  );
}

/** `provider` is what people call one: an endpoint of their own has a prefix. */
function Pictures({ usage, provider }: { usage: Analytics; provider: (id: string | null | undefined) => string }) {
  const { summary, dailyTrend } = usage;
  const errors = dailyTrend.reduce((sum, day) => sum + day.errors, 0);
  const again = dailyTrend.reduce((sum, day) => sum + day.givenAgain, 0);
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Figure label={t('Requests')} value={amount(summary.totalRequests)}>
          {t('{errors} failed, {again} from the cache', { errors: amount(errors), again: amount(again) })}
        </Figure>
        <Figure label={t('Tokens')} value={amount(summary.totalTokens)}>
          {t('{promptTokens} in, {completionTokens} out', {
            promptTokens: amount(summary.promptTokens),
            completionTokens: amount(summary.completionTokens),
          })}
        </Figure>
        <Figure label={t('Cost')} value={dollars(summary.totalCost)}>
          {summary.unpricedRequests > 0
            ? t('{unpricedRequests} requests have no price', { unpricedRequests: amount(summary.unpricedRequests) })
            : t('every request has a price')}
          {summary.totalAdjustment !== 0 &&
            t(', priced anew: {sum}', { sum: `${summary.totalAdjustment < 0 ? '−' : '+'}${dollars(Math.abs(summary.totalAdjustment))}` })}
        </Figure>
        <Figure label={t('Days in a row')} value={amount(summary.streak)}>
          {t('models: {uniqueModels}, API keys: {uniqueApiKeys}', {
            uniqueModels: amount(summary.uniqueModels),
            uniqueApiKeys: amount(summary.uniqueApiKeys),
          })}
        </Figure>
      </SimpleGrid>
      <Section title={t('Tokens by day')}>
        <BarChart
          h={260}
          data={dailyTrend}
          dataKey="date"
          type="stacked"
          withLegend
          maxBarWidth={48}
          valueFormatter={amount}
          series={[
            { name: 'promptTokens', label: t('In'), color: 'blue.6' },
            { name: 'completionTokens', label: t('Out'), color: 'teal.6' },
          ]}
        />
      </Section>
      <Section title={t('Cost by day')}>
        <BarChart
          h={200}
          data={dailyTrend}
          dataKey="date"
          maxBarWidth={48}
          valueFormatter={dollars}
          // between two sums of which four digits are the same
          yAxisProps={{ tickFormatter: exactDollars }}
          series={[{ name: 'cost', label: t('USD'), color: 'violet.6' }]}
        />
      </Section>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Parts title={t('By model')} of={t('Model')} parts={usage.byModel} name={(part) => `${provider(part.provider)}/${part.model}`} />
        <Parts title={t('By API key')} of={t('API key')} parts={usage.byApiKey} name={(part) => part.apiKey ?? '–'} />
        <Parts title={t('By provider')} of={t('Provider')} parts={usage.byProvider} name={(part) => provider(part.provider)} />
        <Parts
          title={t('By account')}
          of={t('Account')}
          parts={usage.byAccount.filter((part) => part.account)}
          name={(part) => `${provider(part.provider)}: ${part.account}`}
        />
      </SimpleGrid>
      <Year days={usage.activityMap} />
    </Stack>
  );
}

function Parts({ title, of, parts, name }: { title: string; of: string; parts: Part[]; name: (part: Part) => string }) {
  return (
    <Section title={title}>
      <Table.ScrollContainer minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{of}</Table.Th>
              <Table.Th ta="right">{t('Requests')}</Table.Th>
              <Table.Th ta="right">{t('Tokens')}</Table.Th>
              <Table.Th ta="right">{t('Share')}</Table.Th>
              <Table.Th ta="right">{t('Cost')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {parts.slice(0, 10).map((part) => (
              <Table.Tr key={name(part)}>
                <Table.Td>
                  <Code>{name(part)}</Code>
                </Table.Td>
                <Table.Td ta="right">{amount(part.requests)}</Table.Td>
                <Table.Td ta="right">{amount(part.totalTokens)}</Table.Td>
                <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
                  {exactPercent(Number(part.pct) / 100)}
                </Table.Td>
                <Table.Td ta="right">{dollars(part.cost)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {parts.length > 10 && (
        <Text size="xs" c="dimmed" mt="xs">
          {t('and {length} more', { length: parts.length - 10 })}
        </Text>
      )}
    </Section>
  );
}

function Year({ days }: { days: Record<string, number> }) {
  const end = new Date();
  const start = new Date(end.getTime() - 364 * 86_400_000);
  const day = (date: Date) => date.toISOString().slice(0, 10);
  return (
    <Section title={t('A year of tokens')}>
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': t('Days of the year') }}>
        <Group>
          <Heatmap
            data={days}
            startDate={day(start)}
            endDate={day(end)}
            withTooltip
            withMonthLabels
            withWeekdayLabels
            getTooltipLabel={({ date, value }) => t('{date}: {tokens} tokens', { date, tokens: amount(value ?? 0) })}
          />
        </Group>
      </ScrollArea>
    </Section>
  );
}
