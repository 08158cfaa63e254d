import { Badge, Button, Center, Code, Stack, Table, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { apiWord } from '../parts/api-words';
import { FilterChoice, FilterForm } from '../parts/filter-form';
import { when } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { type AuditFilter, OUTCOMES, readAuditFilter } from './audit-filter';

type Entry = components['schemas']['EntryView'];

const COLUMNS = 6;
const PAGE = 50;
const COLORS: Record<string, string> = { success: 'teal', failed: 'red', denied: 'red' };

const moment = (local: string | undefined) => (local ? new Date(local).toISOString() : undefined);

/** One page of the log, and where the next one begins. */
async function read({ action, actor, outcome, from, to }: AuditFilter, cursor: number | undefined) {
  const query = { action, actor, status: outcome, from: moment(from), to: moment(to), limit: PAGE, cursor };
  const answer = await api.GET('/api/compliance/audit-log', { params: { query } });
  const next = answer.response.headers.get('x-next-cursor');
  return { entries: await unwrap(Promise.resolve(answer)), next: next === null ? undefined : Number(next) };
}

/** Who did what. The filter is part of the address, so that a finding can be passed on. */
export function AuditPage() {
  const filter = useSearch({ from: '/frame/audit' });
  const query = useInfiniteQuery({
    queryKey: ['audit-log', filter],
    queryFn: ({ pageParam }) => read(filter, pageParam),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ next }) => next,
  });
  return (
    <>
      <PageHeader title={t('Audit log')} hint={t('Who did what, the newest first. Nothing here can be changed.')} />
      <Filter key={JSON.stringify(filter)} filter={filter} />
      <Loaded
        query={query}
        empty={({ pages }) =>
          pages[0]?.entries.length === 0 && (
            <Empty title={t('Nothing fits')} hint={t('Action and actor must be written in full. Remove one, or choose a longer time.')} />
          )
        }
      >
        {({ pages }) => (
          <Stack>
            <Table.ScrollContainer minWidth={760}>
              <Table verticalSpacing="xs">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('When')}</Table.Th>
                    <Table.Th>{t('Action')}</Table.Th>
                    <Table.Th>{t('Actor')}</Table.Th>
                    <Table.Th>{t('Target')}</Table.Th>
                    <Table.Th>{t('Outcome')}</Table.Th>
                    <Table.Th>
                      <VisuallyHidden>{t('Details')}</VisuallyHidden>
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {pages
                    .flatMap(({ entries }) => entries)
                    .map((entry) => (
                      <EntryRows key={entry.id} entry={entry} />
                    ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            <Center>
              {query.hasNextPage ? (
                <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {t('Show older')}
                </Button>
              ) : (
                <Text size="sm" c="dimmed">
                  {t('There is nothing older.')}
                </Text>
              )}
            </Center>
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function Filter({ filter: { action, actor, outcome, from, to } }: { filter: AuditFilter }) {
  const navigate = useNavigate();
  return (
    <FilterForm
      onApply={(said) => void navigate({ to: '/audit', search: readAuditFilter(said) })}
      onClear={() => void navigate({ to: '/audit', search: {} })}
    >
      <TextInput name="action" label={t('Action')} placeholder={t('apiKey.created')} defaultValue={action} />
      <TextInput name="actor" label={t('Actor')} placeholder={t('admin')} defaultValue={actor} />
      <FilterChoice name="outcome" label={t('Outcome')} any={t('Any outcome')} value={outcome} data={OUTCOMES.map((value) => ({ value, label: apiWord(value) }))} />
      <TextInput name="from" type="datetime-local" label={t('From')} defaultValue={from} />
      <TextInput name="to" type="datetime-local" label={t('Before')} defaultValue={to} />
    </FilterForm>
  );
}

function EntryRows({ entry }: { entry: Entry }) {
  const [opened, { toggle }] = useDisclosure();
  return (
    <>
      <Table.Tr>
        <Table.Td>
          <time dateTime={entry.timestamp}>{when(entry.timestamp)}</time>
        </Table.Td>
        <Table.Td>
          <Code>{entry.action}</Code>
        </Table.Td>
        <Table.Td>{entry.actor}</Table.Td>
        <Table.Td>{entry.target ? <Code>{entry.target}</Code> : '–'}</Table.Td>
        <Table.Td>
          <Badge variant="light" tt="none" color={COLORS[entry.status] ?? 'gray'}>
            {apiWord(entry.status)}
          </Badge>
        </Table.Td>
        <Table.Td ta="right">
          <Button size="xs" variant="subtle" aria-expanded={opened} onClick={toggle} aria-label={t('Details of entry {id}', { id: entry.id })}>
            {t('Details')}
          </Button>
        </Table.Td>
      </Table.Tr>
      {opened && (
        <Table.Tr>
          <Table.Td colSpan={COLUMNS}>
            <Details entry={entry} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

function Details({ entry }: { entry: Entry }) {
  return (
    <Stack gap="xs">
      <Text size="sm">
        {t('From {address}', { address: entry.ipAddress ?? t('the inside') })}
        {entry.userAgent && t(' with {userAgent}', { userAgent: entry.userAgent })}
        {entry.configRevision != null && t('; the configuration became revision {configRevision}', { configRevision: entry.configRevision })}.
      </Text>
      {entry.requestId && (
        <Text size="xs" c="dimmed">
          {t('Request {requestId}', { requestId: entry.requestId })}
        </Text>
      )}
      <Code block tabIndex={0} aria-label={t('What entry {id} says', { id: entry.id })}>
        {JSON.stringify(entry.details, null, 2)}
      </Code>
    </Stack>
  );
}
