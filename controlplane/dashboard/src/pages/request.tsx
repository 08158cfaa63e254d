import { Anchor, Code, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { useProviderName } from '../parts/names';
import { amount, dollars, span } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { Loaded, PageHeader } from '../parts/states';
import { StatusBadge } from '../parts/status';
import { Attempts } from './requests/attempts';
import { Decision } from './requests/decision';

type Request = components['schemas']['RequestView'];

/** Who gave the answer, in words. */
const SERVED: Record<string, string> = { provider: 'a provider', cache: 'the cache', replay: 'the answer to an earlier request of the same name' };
const EVIDENCE: Record<string, string> = {
  provider_reported: 'as the provider reported',
  counted: 'counted here',
  estimated: 'estimated',
  none: 'none were used',
};

/** One request: what it took, and why it went where it went. */
export function RequestPage() {
  const { id } = useParams({ from: '/frame/requests/$id' });
  const query = useQuery({
    queryKey: ['request', id],
    queryFn: async () => {
      const params = { path: { id } };
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
      <PageHeader title="Request" hint={id} action={<BackLink />} />
      <Loaded query={query}>
        {({ request, explanation }) => (
          <Stack gap="lg">
            <Summary request={request} />
            <Facts request={request} />
            <Decision explanation={explanation} />
            <Attempts explanation={explanation} />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function BackLink() {
  return (
    <Anchor component={Link} to="/requests">
      All requests
    </Anchor>
  );
}

function Summary({ request }: { request: Request }) {
  const { tokens } = request;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
      <Figure label="Status" value={<StatusBadge status={request.status} error={request.error} />}>
        {request.error ?? request.finishReason ?? request.outcome}
      </Figure>
      <Figure label="Took" value={`${amount(request.duration)} ms`}>
        {request.ttft == null ? 'one answer' : `${amount(request.ttft)} ms to the first event`}
      </Figure>
      <Figure label="Tokens" value={amount(tokens.in + tokens.out)}>
        {amount(tokens.in)} in, {amount(tokens.out)} out
      </Figure>
      <Figure label="Cost" value={request.cost == null ? 'unknown' : dollars(request.cost)}>
        {request.cost == null ? 'nobody knows the price of this model' : ''}
      </Figure>
    </SimpleGrid>
  );
}

/** What was used that is not counted in tokens; of most requests nothing. */
function used({ images, audioMs, characters, searches }: Request['units']): [string, ReactNode][] {
  const counts: [string, number | undefined, (count: number) => string][] = [
    ['Pictures', images, amount],
    ['Recording', audioMs, span],
    ['Characters read out', characters, amount],
    ['Searches', searches, amount],
  ];
  return counts.flatMap(([label, count, shown]): [string, ReactNode][] => (count ? [[label, shown(count)]] : []));
}

function Facts({ request }: { request: Request }) {
  const provider = useProviderName();
  const { tokens } = request;
  const facts: [string, ReactNode][] = [
    ['When', <time dateTime={request.timestamp}>{new Date(request.timestamp).toLocaleString()}</time>],
    ['Sent to', <Code>{`${request.method} ${request.path}`}</Code>],
    ['Asked for', <Code>{request.requestedModel || '–'}</Code>],
    ['Combo', request.comboName ?? '–'],
    ['API key', request.apiKeyName ?? '–'],
    ['Answered by', request.servedFrom ? (SERVED[request.servedFrom] ?? request.servedFrom) : 'nobody'],
    ['Provider and model', request.provider ? <Code>{`${provider(request.provider)}/${request.model}`}</Code> : '–'],
    ['Account', request.account ?? '–'],
    ['Translated', request.targetFormat && request.targetFormat !== request.sourceFormat ? `from ${request.sourceFormat} to ${request.targetFormat}` : 'no'],
    ['Input, not from a cache', amount(tokens.in - tokens.cacheRead - tokens.cacheCreation)],
    ['Input, read from the provider’s cache', amount(tokens.cacheRead)],
    ['Input, written to the provider’s cache', amount(tokens.cacheCreation)],
    ['Output, visible', amount(tokens.out - tokens.reasoning)],
    ['Output, reasoning', amount(tokens.reasoning)],
    ...used(request.units),
    ['Tokens are', EVIDENCE[request.evidence] ?? request.evidence],
    ['Data plane', <Code>{`${request.dataPlaneId}, revision ${request.configRevision}`}</Code>],
    ['Client’s request id', <Code>{request.requestId}</Code>],
  ];
  return (
    <Section title="The request">
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
