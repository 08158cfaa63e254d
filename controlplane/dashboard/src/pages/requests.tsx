import { Anchor, Button, Code, Group, Select, Table, Text, TextInput } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { amount } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { StatusBadge } from '../parts/status';
import type { RequestFilter } from './request-filter';

type Request = components['schemas']['RequestView'];

const STATUSES = [
  { value: 'ok', label: 'answered' },
  { value: 'error', label: 'failed' },
  ...['400', '401', '403', '404', '429', '499', '500', '502', '503', '504'],
];

async function newest({ status, model, key }: RequestFilter): Promise<Request[]> {
  const query = { limit: 100, format: 'json', status, model, apiKey: key };
  const entries = await unwrap(api.GET('/api/usage/request-logs', { params: { query } }));
  return entries.filter((entry) => typeof entry !== 'string');
}

export function RequestsPage() {
  const filter = useSearch({ from: '/frame/requests' });
  const filtered = Object.keys(filter).length > 0;
  const query = useQuery({
    queryKey: ['request-logs', filter],
    queryFn: () => newest(filter),
    placeholderData: keepPreviousData,
    refetchInterval: 3_000,
  });
  return (
    <>
      <PageHeader title="Requests" hint="The newest 100, as they were accounted." />
      <Filter key={JSON.stringify(filter)} filter={filter} />
      <Loaded
        query={query}
        empty={(requests) =>
          requests.length === 0 &&
          (filtered ? (
            <Empty title="No request fits" hint="Remove a part of the filter." />
          ) : (
            <Empty title="No request yet" hint="Send one: the overview has a command to copy." />
          ))
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

/** Texts take effect with Enter or Apply, and are in the address. */
function Filter({ filter }: { filter: RequestFilter }) {
  const navigate = useNavigate();
  const apply = (form: FormData) => {
    const said = (name: string) => `${form.get(name)}`.trim() || undefined;
    void navigate({ to: '/requests', search: { status: said('status'), model: said('model'), key: said('key') } });
  };
  return (
    <form
      role="search"
      aria-label="Filter"
      onSubmit={(event) => {
        event.preventDefault();
        apply(new FormData(event.currentTarget));
      }}
    >
      <Group align="flex-end" mb="lg" gap="sm">
        <Select name="status" label="Status" placeholder="any" clearable clearButtonProps={{ 'aria-label': 'Any status' }} data={STATUSES} defaultValue={filter.status ?? null} w={130} />
        <TextInput name="model" label="Model" placeholder="part of its name" defaultValue={filter.model} />
        <TextInput name="key" label="API key" placeholder="part of its name" defaultValue={filter.key} />
        <Button type="submit" variant="light">
          Apply
        </Button>
        <Button variant="default" onClick={() => void navigate({ to: '/requests', search: {} })}>
          Clear
        </Button>
      </Group>
    </form>
  );
}

function RequestRow({ request }: { request: Request }) {
  const { tokens } = request;
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor size="sm" renderRoot={(props) => <Link {...props} to="/requests/$id" params={{ id: request.id }} />}>
          <time dateTime={request.timestamp}>{new Date(request.timestamp).toLocaleTimeString()}</time>
        </Anchor>
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
        <StatusBadge status={request.status} error={request.error} />
      </Table.Td>
      <Table.Td ta="right">{amount(tokens.in)}</Table.Td>
      <Table.Td ta="right">{amount(tokens.out)}</Table.Td>
      <Table.Td ta="right">{request.duration} ms</Table.Td>
    </Table.Tr>
  );
}
