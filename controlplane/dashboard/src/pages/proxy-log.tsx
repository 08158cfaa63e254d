import { Badge, Button, Code, Stack, Table, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconEraser } from '@tabler/icons-react';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { apiWord } from '../parts/api-words';
import { mayAct, useRole } from '../parts/authority';
import { confirmAct } from '../parts/confirm';
import { FilterChoice, FilterForm } from '../parts/filter-form';
import { useProviderName } from '../parts/names';
import { amount, milliseconds, moment } from '../parts/numbers';
import { WAYS } from '../parts/proxies';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { LEVELS, type ProxyLogFilter, STATUSES, TYPES, readProxyLogFilter } from './proxy-log-filter';

type Call = components['schemas']['ProxyCall'];

const SHOWN = 200;
const EVERY_MS = 5_000;

const read = ({ status, type, level, provider, text: search }: ProxyLogFilter) =>
  unwrap(api.GET('/api/usage/proxy-logs', { params: { query: { status, type, level, provider, search, limit: SHOWN } } }));

/** Which way each call to a provider went out. The filter is part of the address, so that a finding can be passed on. */
export function ProxyLogPage() {
  const filter = useSearch({ from: '/frame/proxy-log' });
  const filtered = Object.keys(filter).length > 0;
  const query = useQuery({
    queryKey: ['proxy-log', filter],
    queryFn: () => read(filter),
    placeholderData: keepPreviousData,
    // what is refused is refused again, and its alert would come and go
    refetchInterval: ({ state }) => (state.data || !state.error ? EVERY_MS : false),
  });
  return (
    <>
      <PageHeader
        title={t('Proxy log')}
        hint={t('Which way calls to providers went out, the newest first.')}
        action={<ClearLog empty={query.data?.length === 0 && !filtered} />}
      />
      <Filter key={JSON.stringify(filter)} filter={filter} />
      <Loaded
        query={query}
        empty={(calls) =>
          calls.length === 0 &&
          (filtered ? (
            <Empty title={t('No call fits')} hint={t('Remove a part of the filter.')} />
          ) : (
            <Empty title={t('No call yet')} hint={t('Send a request: the calls it takes appear here by themselves.')} />
          ))
        }
      >
        {(calls) => (
          <Stack>
            <Calls calls={calls} />
            {calls.length === SHOWN && (
              <Text size="sm" c="dimmed">
                {t('The newest {count} are shown: filter for the others.', { count: amount(SHOWN) })}
              </Text>
            )}
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function ClearLog({ empty }: { empty: boolean }) {
  const client = useQueryClient();
  const own = useRole();
  const may = mayAct(own, 'operator');
  const clear = useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/usage/proxy-logs')),
    onSuccess: () => notifications.show({ color: 'teal', title: t('Proxy log cleared'), message: '' }),
    onSettled: () => client.invalidateQueries({ queryKey: ['proxy-log'] }),
  });
  return (
    <Stack gap={4} align="flex-end">
      <Button
        variant="default"
        leftSection={<IconEraser size={16} />}
        disabled={!may || empty}
        loading={clear.isPending}
        onClick={() =>
          confirmAct({
            title: t('Clear the proxy log?'),
            consequence: t('It begins anew. Requests, usage and costs stay as they are.'),
            confirm: t('Clear the log'),
            cancel: t('Keep it'),
            onConfirm: () => clear.mutate(),
          })
        }
      >
        {t('Clear the log')}
      </Button>
      {!may && (
        <Text size="xs" c="dimmed">
          {t('Your role is {own}. Changing something here takes the role {role}.', { own, role: 'operator' })}
        </Text>
      )}
    </Stack>
  );
}

function Filter({ filter }: { filter: ProxyLogFilter }) {
  const navigate = useNavigate();
  const name = useProviderName();
  const known = useQuery({
    queryKey: ['providers', 'called'],
    queryFn: async () => (await unwrap(api.GET('/api/providers'))).connections.map(({ provider }) => provider),
  });
  const providers = [...new Set([...(known.data ?? []), ...(filter.provider ? [filter.provider] : [])])];
  return (
    <FilterForm
      onApply={(said) => void navigate({ to: '/proxy-log', search: readProxyLogFilter(said) })}
      onClear={() => void navigate({ to: '/proxy-log', search: {} })}
    >
      <FilterChoice name="status" label={t('Outcome')} any={t('Any outcome')} value={filter.status} data={STATUSES.map((value) => ({ value, label: apiWord(value) }))} />
      <FilterChoice
        name="level"
        label={t('Went through')}
        any={t('Any way')}
        value={filter.level}
        data={LEVELS.map((value) => ({ value, label: WAYS[value] ?? value }))}
        width={210}
      />
      <FilterChoice name="type" label={t('Kind of proxy')} any={t('Any kind of proxy')} value={filter.type} data={[...TYPES]} />
      <FilterChoice name="provider" label={t('Provider')} any={t('Any provider')} value={filter.provider} data={providers.map((value) => ({ value, label: name(value) }))} />
      <TextInput name="text" label={t('Has in it')} placeholder={t('account, model, address')} defaultValue={filter.text} />
    </FilterForm>
  );
}

function Calls({ calls }: { calls: Call[] }) {
  return (
    <Table.ScrollContainer minWidth={820}>
      <Table verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('When')}</Table.Th>
            <Table.Th>{t('Provider')}</Table.Th>
            <Table.Th>{t('Account')}</Table.Th>
            <Table.Th>{t('Went through')}</Table.Th>
            <Table.Th>{t('Outcome')}</Table.Th>
            <Table.Th ta="right">{t('Took')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {calls.map((call) => (
            <CallRow key={call.id} call={call} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function CallRow({ call: { timestamp, provider, account, level, proxy, targetUrl, status, error, latencyMs } }: { call: Call }) {
  const name = useProviderName();
  return (
    <Table.Tr>
      <Table.Td>
        <time dateTime={timestamp}>{moment(timestamp)}</time>
      </Table.Td>
      <Table.Td>
        <Code>{name(provider)}</Code>
      </Table.Td>
      <Table.Td>{account ?? '–'}</Table.Td>
      <Table.Td>
        <Text size="sm">{WAYS[level] ?? level}</Text>
        {proxy && <Code>{`${proxy.type}://${proxy.host}:${proxy.port}`}</Code>}
        {targetUrl && (
          <Text size="xs" c="dimmed">
            {t('to {address}', { address: targetUrl })}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Badge variant="light" tt="none" color={status === 'ok' ? 'teal' : 'red'}>
          {apiWord(status)}
        </Badge>
        {error && error !== status && (
          <Text size="xs" c="dimmed">
            {error}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right">{milliseconds(latencyMs)}</Table.Td>
    </Table.Tr>
  );
}
