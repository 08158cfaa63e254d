import '@mantine/charts/styles.css';
import { BarChart, Heatmap } from '@mantine/charts';
import { Code, Group, ScrollArea, SegmentedControl, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { useProviderName } from '../parts/names';
import { amount, dollars } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { type Range, RANGES } from './usage-range';

type Analytics = components['schemas']['AnalyticsView'];
type Part = components['schemas']['PartView'];

const NAMES: Record<Range, string> = { '1d': 'Day', '7d': 'Week', '30d': '30 days', '90d': '90 days', ytd: 'This year', all: 'Ever' };

/** What was used and what it cost. The range is part of the address, so that a picture can be passed on. */
export function UsagePage() {
  const narrow = useMediaQuery('(max-width: 36em)', false, { getInitialValueInEffect: false });
  const { range = '30d' } = useSearch({ from: '/frame/usage' });
  const navigate = useNavigate();
  const query = useQuery({
    queryKey: ['analytics', range],
    queryFn: () => unwrap(api.GET('/api/usage/analytics', { params: { query: { range } } })),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  const provider = useProviderName();
  return (
    <>
      <PageHeader
        title="Usage"
        hint="What was used, and what it cost."
        action={
          <SegmentedControl
            aria-label="Range"
            // all six in the width of a phone
            size={narrow ? 'xs' : 'sm'}
            value={range}
            onChange={(next) => void navigate({ to: '/usage', search: { range: next as Range } })}
            data={RANGES.map((value) => ({ value, label: NAMES[value] }))}
          />
        }
      />
      <Loaded
        query={query}
        empty={({ summary }) =>
          summary.totalRequests === 0 && (
            <Empty title="Nothing was used in this time" hint="Send a request, or choose a longer range." />
          )
        }
      >
        {(usage) => <Pictures usage={usage} provider={provider} />}
      </Loaded>
    </>
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
        <Figure label="Requests" value={amount(summary.totalRequests)}>
          {amount(errors)} failed, {amount(again)} from the cache
        </Figure>
        <Figure label="Tokens" value={amount(summary.totalTokens)}>
          {amount(summary.promptTokens)} in, {amount(summary.completionTokens)} out
        </Figure>
        <Figure label="Cost" value={dollars(summary.totalCost)}>
          {summary.unpricedRequests > 0 ? `${amount(summary.unpricedRequests)} requests have no price` : 'every request has a price'}
          {summary.totalAdjustment !== 0 && `, priced anew: ${summary.totalAdjustment < 0 ? '−' : '+'}${dollars(Math.abs(summary.totalAdjustment))}`}
        </Figure>
        <Figure label="Days in a row" value={amount(summary.streak)}>
          models: {amount(summary.uniqueModels)}, API keys: {amount(summary.uniqueApiKeys)}
        </Figure>
      </SimpleGrid>
      <Section title="Tokens by day">
        <BarChart
          h={260}
          data={dailyTrend}
          dataKey="date"
          type="stacked"
          withLegend
          maxBarWidth={48}
          valueFormatter={amount}
          series={[
            { name: 'promptTokens', label: 'In', color: 'blue.6' },
            { name: 'completionTokens', label: 'Out', color: 'teal.6' },
          ]}
        />
      </Section>
      <Section title="Cost by day">
        <BarChart h={200} data={dailyTrend} dataKey="date" maxBarWidth={48} valueFormatter={dollars} series={[{ name: 'cost', label: 'USD', color: 'violet.6' }]} />
      </Section>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Parts title="By model" parts={usage.byModel} name={(part) => `${provider(part.provider)}/${part.model}`} />
        <Parts title="By API key" parts={usage.byApiKey} name={(part) => part.apiKey ?? '–'} />
        <Parts title="By provider" parts={usage.byProvider} name={(part) => provider(part.provider)} />
        <Parts
          title="By account"
          parts={usage.byAccount.filter((part) => part.account)}
          name={(part) => `${provider(part.provider)}: ${part.account}`}
        />
      </SimpleGrid>
      <Year days={usage.activityMap} />
    </Stack>
  );
}

function Parts({ title, parts, name }: { title: string; parts: Part[]; name: (part: Part) => string }) {
  return (
    <Section title={title}>
      <Table.ScrollContainer minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{title.replace('By ', '').replace(/^./, (letter) => letter.toUpperCase())}</Table.Th>
              <Table.Th ta="right">Requests</Table.Th>
              <Table.Th ta="right">Tokens</Table.Th>
              <Table.Th ta="right">Share</Table.Th>
              <Table.Th ta="right">Cost</Table.Th>
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
                  {part.pct} %
                </Table.Td>
                <Table.Td ta="right">{dollars(part.cost)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {parts.length > 10 && (
        <Text size="xs" c="dimmed" mt="xs">
          and {parts.length - 10} more
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
    <Section title="A year of tokens">
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': 'Days of the year' }}>
        <Group>
          <Heatmap
            data={days}
            startDate={day(start)}
            endDate={day(end)}
            withTooltip
            withMonthLabels
            withWeekdayLabels
            getTooltipLabel={({ date, value }) => `${date}: ${amount(value ?? 0)} tokens`}
          />
        </Group>
      </ScrollArea>
    </Section>
  );
}
