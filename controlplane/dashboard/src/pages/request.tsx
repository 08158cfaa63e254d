import { Anchor, Code, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { apiWord } from '../parts/api-words';
import { useProviderName } from '../parts/names';
import { amount, dollars, exactDollars, milliseconds, precisely, span } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { Loaded, PageHeader } from '../parts/states';
import { StatusBadge } from '../parts/status';
import { TranslationNotes } from '../parts/translation-notes';
import { Attempts } from './requests/attempts';
import { Bodies } from './requests/bodies';
import { type Price, classesOf, costsOf } from './requests/cost-by-class';
import { Decision } from './requests/decision';

type Request = components['schemas']['RequestView'];
type Note = components['schemas']['TranslationNote'];

/** Who gave the answer, in words. */
const SERVED: Record<string, string> = {
  provider: t('a provider'),
  cache: t('the cache'),
  replay: t('the answer to an earlier request of the same name'),
};
const EVIDENCE: Record<string, string> = {
  provider_reported: t('as the provider reported'),
  counted: t('counted here'),
  estimated: t('estimated'),
  none: t('none were used'),
};

/** One request: what it took, and why it went where it went. */
export function RequestPage() {
  const { id } = useParams({ from: '/frame/requests/$id' });
  const query = useQuery({
    queryKey: ['request', id],
    queryFn: async () => {
      // what was said is read when somebody wants to, for that is on record
      const params = { path: { id }, query: { bodies: false } };
      const [request, explanation] = await Promise.all([
        unwrap(api.GET('/api/usage/call-logs/{id}', { params })),
        unwrap(api.GET('/api/explain/{request_id}', { params: { path: { request_id: id } } })),
      ]);
      return { request, explanation };
    },
    // an accounted request does not change any more
    staleTime: Infinity,
  });
  return (
    <>
      <PageHeader title={t('Request')} hint={id} action={<BackLink />} />
      <Loaded query={query}>
        {({ request, explanation }) => (
          <Stack gap="lg">
            <Summary request={request} />
            <Facts request={request} />
            <Decision explanation={explanation} />
            <Translation request={request} notes={explanation.translationNotes} />
            <Attempts explanation={explanation} />
            <Bodies request={request} />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function BackLink() {
  return (
    <Anchor component={Link} to="/requests">
      {t('All requests')}
    </Anchor>
  );
}

const isTranslated = ({ sourceFormat, targetFormat }: Request) => targetFormat != null && targetFormat !== sourceFormat;

function Translation({ request, notes }: { request: Request; notes: Note[] }) {
  if (!isTranslated(request) && notes.length === 0) return null;
  return (
    <Section title={t('Translation')} hint={t('What the provider got other than the client said it.')}>
      <Stack gap="xs">
        <TranslationNotes notes={notes} />
      </Stack>
    </Section>
  );
}

function Summary({ request }: { request: Request }) {
  const { tokens } = request;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
      <Figure label={t('Status')} value={<StatusBadge status={request.status} error={request.error} />}>
        {request.error ?? request.finishReason ?? apiWord(request.outcome)}
      </Figure>
      <Figure label={t('Took')} value={milliseconds(request.duration)}>
        {request.ttft == null ? t('one answer') : t('{time} to the first event', { time: milliseconds(request.ttft) })}
      </Figure>
      <Figure label={t('Tokens')} value={amount(tokens.in + tokens.out)}>
        {t('{in} in, {out} out', { in: amount(tokens.in), out: amount(tokens.out) })}
      </Figure>
      <Figure label={t('Cost')} value={request.cost == null ? t('unknown') : dollars(request.cost)}>
        {request.cost == null ? t('nobody knows the price of this model') : ''}
      </Figure>
    </SimpleGrid>
  );
}

/** What was used that is not counted in tokens; of most requests nothing. */
function used({ images, audioMs, characters, searches }: Request['units']): [string, ReactNode][] {
  const counts: [string, number | undefined, (count: number) => string][] = [
    [t('Pictures'), images, amount],
    [t('Recording'), audioMs, span],
    [t('Characters read out'), characters, amount],
    [t('Searches'), searches, amount],
  ];
  return counts.flatMap(([label, count, shown]): [string, ReactNode][] => (count ? [[label, shown(count)]] : []));
}

/** What the model costs now, by the provider's tokens; null where nobody knows. */
function usePrice({ provider, model }: Request) {
  return useQuery({
    queryKey: ['pricing', 'of', provider, model],
    enabled: provider != null && model != null,
    staleTime: Infinity,
    queryFn: async (): Promise<Price | null> => {
      const [pricing, known] = await Promise.all([unwrap(api.GET('/api/pricing')), unwrap(api.GET('/api/pricing/models'))]);
      const alias = Object.values(known).find(({ id }) => id === provider)?.alias ?? provider ?? '';
      return (pricing[alias]?.[model ?? ''] as Price | undefined) ?? null;
    },
  });
}

function Facts({ request }: { request: Request }) {
  const provider = useProviderName();
  const price = usePrice(request);
  const classes = classesOf(request.tokens);
  const costs = request.cost == null ? null : costsOf(request.tokens, price.data ?? undefined, request.cost);
  const counted = (kind: keyof typeof classes) =>
    costs && classes[kind] > 0 ? t('{count}, for {cost}', { count: amount(classes[kind]), cost: exactDollars(costs[kind]) }) : amount(classes[kind]);
  const facts: [string, ReactNode][] = [
    [t('When'), <time dateTime={request.timestamp}>{precisely(request.timestamp)}</time>],
    [t('Sent to'), <Code>{`${request.method} ${request.path}`}</Code>],
    [t('Asked for'), <Code>{request.requestedModel || '–'}</Code>],
    [t('Combo'), request.comboName ?? '–'],
    [t('API key'), request.apiKeyName ?? '–'],
    [t('Answered by'), request.servedFrom ? (SERVED[request.servedFrom] ?? request.servedFrom) : t('nobody')],
    [t('Provider and model'), request.provider ? <Code>{`${provider(request.provider)}/${request.model}`}</Code> : '–'],
    [t('Account'), request.account ?? '–'],
    [
      t('Translated'),
      isTranslated(request)
        ? t('from {from} to {to}', { from: request.sourceFormat, to: request.targetFormat ?? '' })
        : t('no'),
    ],
    [t('Input, not from a cache'), counted('uncached')],
    [t('Input, read from the provider’s cache'), counted('cacheRead')],
    [t('Input, written to the provider’s cache'), counted('cacheCreation')],
    [t('Output, visible'), counted('visible')],
    [t('Output, reasoning'), counted('reasoning')],
    ...(request.cost && price.isSuccess && !costs && request.tokens.in + request.tokens.out > 0
      ? [[t('Cost of each kind'), t('cannot be told: the prices known now make another sum than was billed')] as [string, ReactNode]]
      : []),
    ...used(request.units),
    [t('Tokens are'), EVIDENCE[request.evidence] ?? request.evidence],
    [
      t('Data plane'),
      <Code>{t('{dataPlaneId}, revision {configRevision}', { dataPlaneId: request.dataPlaneId, configRevision: request.configRevision })}</Code>,
    ],
    [t('Client’s request id'), <Code>{request.requestId}</Code>],
  ];
  return (
    <Section title={t('The request')}>
      <Table>
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row">{name}</Table.Th>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{typeof value === 'string' ? <Text size="sm">{value}</Text> : value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}
