import { Badge, Code, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { Empty, Loaded, PageHeader } from '../parts/states';

type Request = components['schemas']['RequestView'];

async function newest(): Promise<Request[]> {
  const entries = await unwrap(api.GET('/api/usage/request-logs', { params: { query: { limit: 100, format: 'json' } } }));
  return entries.filter((entry) => typeof entry !== 'string');
}

export function RequestsPage() {
  const query = useQuery({
    queryKey: ['request-logs'],
    queryFn: newest,
    refetchInterval: 3_000,
  });
  return (
    <>
      <PageHeader title="Requests" hint="The newest 100, as they were accounted." />
      <Loaded
        query={query}
        empty={(requests) =>
          requests.length === 0 && <Empty title="No request yet" hint="Send one: the overview has a command to copy." />
        }
      >
        {(requests) => (
          <Table.ScrollContainer minWidth={860}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>When</Table.Th>
                  <Table.Th>Asked for</Table.Th>
                  <Table.Th>Served by</Table.Th>
                  <Table.Th>Key</Table.Th>
                  <Table.Th>Status</Table.Th>
                  <Table.Th ta="right">Tokens in</Table.Th>
                  <Table.Th ta="right">Tokens out</Table.Th>
                  <Table.Th ta="right">Took</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {requests.map((request) => (
                  <RequestRow key={request.id} request={request} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </>
  );
}

function RequestRow({ request }: { request: Request }) {
  const { status, tokens } = request;
  return (
    <Table.Tr>
      <Table.Td>
        <time dateTime={request.timestamp}>{new Date(request.timestamp).toLocaleTimeString()}</time>
      </Table.Td>
      <Table.Td>
        <Code>{request.requestedModel || '–'}</Code>
      </Table.Td>
      <Table.Td>
        {request.provider ? (
          <Code>
            {request.account ?? request.provider}: {request.model}
          </Code>
        ) : (
          <Text size="sm" c="dimmed">
            nobody
          </Text>
        )}
      </Table.Td>
      <Table.Td>{request.apiKeyName ?? '–'}</Table.Td>
      <Table.Td>
        <Badge variant="light" color={status < 400 ? 'teal' : 'red'} title={request.error ?? undefined}>
          {status}
        </Badge>
      </Table.Td>
      <Table.Td ta="right">{tokens.in}</Table.Td>
      <Table.Td ta="right">{tokens.out}</Table.Td>
      <Table.Td ta="right">{request.duration} ms</Table.Td>
    </Table.Tr>
  );
}
