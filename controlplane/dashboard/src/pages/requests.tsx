import { Anchor, Button, Code, Group, Stack, Switch, Table, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { FilterChoice, FilterForm } from '../parts/filter-form';
import { amount, milliseconds, moment, span } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { StatusBadge } from '../parts/status';
import { type RequestFilter, readRequestFilter } from './request-filter';
import { ExportMenu } from './requests/export-menu';
import { useNews } from './requests/news';

type Request = components['schemas']['RequestView'];

const STATUSES = [
  { value: 'ok', label: t('answered') },
  { value: 'error', label: t('failed') },
  ...['400', '401', '403', '404', '429', '499', '500', '502', '503', '504'],
];

const PAGE = 50;
const EVERY_MS = 2_000;

type Page = { requests: Request[]; next: string | null };

/** One page, and where the next older one begins. */
async function read({ status, model, key, before }: RequestFilter): Promise<Page> {
  const query = { limit: PAGE, format: 'json', status, model, apiKey: key, cursor: before };
  const answer = await api.GET('/api/usage/request-logs', { params: { query } });
  const entries = await unwrap(Promise.resolve(answer));
  return { requests: entries.filter((entry) => typeof entry !== 'string'), next: answer.response.headers.get('x-next-cursor') };
}

export function RequestsPage() {
  const filter = useSearch({ from: '/frame/requests' });
  const { before, ...said } = filter;
  const filtered = Object.keys(said).length > 0;
  const [live, { toggle }] = useDisclosure(true);
  const following = live && !before;
  const told = useNews(following, said);
  const query = useQuery({
    queryKey: ['request-logs', filter],
    queryFn: () => read(filter),
    placeholderData: keepPreviousData,
    // The whole first page: a long request is accounted after shorter ones, and belongs below them. Nobody is asked for
    // an older page, which does not change, nor for a tab that nobody looks at; nor again and again where one is told.
    refetchInterval: following && !told ? EVERY_MS : false,
  });
  return (
    <>
      <PageHeader
        title={t('Requests')}
        hint={t('As they were accounted, the newest first.')}
        action={
          <Group gap="sm">
            <Live live={live} told={told} older={before !== undefined} onToggle={toggle} />
            <ExportMenu filter={said} />
          </Group>
        }
      />
      <Filter key={JSON.stringify(said)} filter={said} />
      <Loaded
        query={query}
        empty={({ requests }) =>
          requests.length === 0 &&
          (filtered || before ? (
            <Empty
              title={t('No request fits')}
              hint={t('Remove a part of the filter, or go back to the newest.')}
              action={before && <Pages filter={filter} next={null} />}
            />
          ) : (
            <Empty title={t('No request yet')} hint={t('Send one: the overview has a command to copy. It appears here by itself.')} />
          ))
        }
      >
        {({ requests, next }) => (
          <Stack>
            <Requests requests={requests} />
            <Pages filter={filter} next={next} />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function Live({ live, told, older, onToggle }: { live: boolean; told: boolean; older: boolean; onToggle: () => void }) {
  return (
    <Group gap="sm">
      <Text size="sm" c="dimmed" role="status">
        {older
          ? t('An older page does not change.')
          : told
            ? t('New ones appear as they are accounted.')
            : live
              ? t('New ones are looked for every {time}.', { time: span(EVERY_MS) })
              : t('Stands still.')}
      </Text>
      <Switch label={t('Live')} checked={live && !older} disabled={older} onChange={onToggle} />
    </Group>
  );
}

/** Links, so that a page can be passed on and the browser's back button works. */
function Pages({ filter, next }: { filter: RequestFilter; next: string | null }) {
  const { before, ...said } = filter;
  if (!before && !next) return null;
  return (
    <Group component="nav" aria-label={t('Pages')} justify="space-between">
      <Button
        variant="default"
        leftSection={<IconArrowUp size={16} />}
        disabled={!before}
        renderRoot={before ? (props) => <Link {...props} to="/requests" search={said} /> : undefined}
      >
        {t('Newest')}
      </Button>
      <Button
        variant="default"
        rightSection={<IconArrowDown size={16} />}
        disabled={!next}
        renderRoot={next ? (props) => <Link {...props} to="/requests" search={{ ...said, before: next }} /> : undefined}
      >
        {t('Older')}
      </Button>
    </Group>
  );
}

function Requests({ requests }: { requests: Request[] }) {
  return (
    <Table.ScrollContainer minWidth={860}>
      <Table verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('When')}</Table.Th>
            <Table.Th>{t('Asked for')}</Table.Th>
            <Table.Th>{t('Served by')}</Table.Th>
            <Table.Th>{t('Key')}</Table.Th>
            <Table.Th>{t('Status')}</Table.Th>
            <Table.Th ta="right">{t('Tokens in')}</Table.Th>
            <Table.Th ta="right">{t('Tokens out')}</Table.Th>
            <Table.Th ta="right">{t('Took')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {requests.map((request) => (
            <RequestRow key={request.id} request={request} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Filter({ filter: { status, model, key } }: { filter: RequestFilter }) {
  const navigate = useNavigate();
  return (
    <FilterForm
      onApply={(said) => void navigate({ to: '/requests', search: readRequestFilter(said) })}
      onClear={() => void navigate({ to: '/requests', search: {} })}
    >
      <FilterChoice name="status" label={t('Status')} any={t('Any status')} value={status} data={STATUSES} />
      <TextInput name="model" label={t('Model')} placeholder={t('part of its name')} defaultValue={model} />
      <TextInput name="key" label={t('API key')} placeholder={t('part of its name')} defaultValue={key} />
    </FilterForm>
  );
}

function RequestRow({ request }: { request: Request }) {
  const { tokens } = request;
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor size="sm" renderRoot={(props) => <Link {...props} to="/requests/$id" params={{ id: request.id }} />}>
          <time dateTime={request.timestamp}>{moment(request.timestamp)}</time>
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
            {t('nobody')}
          </Text>
        )}
      </Table.Td>
      <Table.Td>{request.apiKeyName ?? '–'}</Table.Td>
      <Table.Td>
        <StatusBadge status={request.status} error={request.error} />
      </Table.Td>
      <Table.Td ta="right">{amount(tokens.in)}</Table.Td>
      <Table.Td ta="right">{amount(tokens.out)}</Table.Td>
      <Table.Td ta="right">{milliseconds(request.duration)}</Table.Td>
    </Table.Tr>
  );
}
