import { Alert, Badge, Code, Group, Select, Stack, Switch, Table, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { mayAct, useRole } from '../parts/authority';
import { FilterChoice, FilterForm } from '../parts/filter-form';
import { amount, moment, span } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { type ConsoleFilter, LEVELS, readConsoleFilter } from './console-filter';

type Line = components['schemas']['ConsoleLine'];

const SHOWN = 200;
const EVERY_MS = 3_000;
const COLORS: Record<string, string> = { error: 'red', warn: 'red' };
/** The option that is no data plane's id. */
const OWN = 'control-plane';

const read = async (query: ConsoleFilter): Promise<Line[]> =>
  (await unwrap(api.GET('/api/logs/console', { params: { query: { ...query, limit: SHOWN } } }))).toReversed();

/** What a process wrote to its log within the last hour. */
export function ConsolePage() {
  const own = useRole();
  return mayAct(own, 'operator') ? (
    <Log />
  ) : (
    <>
      <PageHeader title={t('Console')} hint={t('What a process wrote to its log.')} />
      <Alert color="gray">{t('Your role is {own}. Reading the log takes the role operator.', { own })}</Alert>
    </>
  );
}

function Log() {
  const filter = useSearch({ from: '/frame/console' });
  const [live, { toggle }] = useDisclosure(true);
  const query = useQuery({
    queryKey: ['console', filter],
    queryFn: () => read(filter),
    placeholderData: keepPreviousData,
    // what is refused is refused again, and its alert would come and go
    refetchInterval: ({ state }) => (live && (state.data || !state.error) ? EVERY_MS : false),
  });
  return (
    <>
      <PageHeader
        title={t('Console')}
        hint={t('The last hour of a process’s log, as far as it keeps it in memory, the newest first.')}
        action={
          <Group gap="sm">
            <Text size="sm" c="dimmed" role="status">
              {live ? t('New ones are looked for every {time}.', { time: span(EVERY_MS) }) : t('Stands still.')}
            </Text>
            <Switch label={t('Live')} checked={live} onChange={toggle} />
          </Group>
        }
      />
      <Filter key={JSON.stringify(filter)} filter={filter} />
      <Loaded
        query={query}
        empty={(lines) =>
          lines.length === 0 && (
            <Empty title={t('No line fits')} hint={t('Choose a level that says more, or leave out the component. What is older than an hour is only where the process writes its log.')} />
          )
        }
      >
        {(lines) => (
          <Stack>
            <Lines lines={lines} />
            {lines.length === SHOWN && (
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

function Filter({ filter }: { filter: ConsoleFilter }) {
  const navigate = useNavigate();
  const fleet = useQuery({ queryKey: ['dataplanes'], queryFn: () => unwrap(api.GET('/api/dataplanes')) });
  const planes = (fleet.data?.dataPlanes ?? []).filter(({ connected }) => connected).map(({ id }) => id);
  const nodes = [...new Set([...planes, ...(filter.node ? [filter.node] : [])])];
  function apply(said: Record<string, unknown>) {
    const { node, ...rest } = readConsoleFilter(said);
    void navigate({ to: '/console', search: { ...rest, ...(node && node !== OWN && { node }) } });
  }
  return (
    <FilterForm onApply={apply} onClear={() => void navigate({ to: '/console', search: {} })}>
      <Select
        name="node"
        label={t('Process')}
        allowDeselect={false}
        data={[{ value: OWN, label: t('This control plane') }, ...nodes.map((id) => ({ value: id, label: id }))]}
        defaultValue={filter.node ?? OWN}
        w={240}
      />
      <FilterChoice name="level" label={t('Level, or worse')} any={t('Any level')} value={filter.level} data={[...LEVELS]} />
      <TextInput name="component" label={t('Component')} placeholder={t('controlplane::publish')} defaultValue={filter.component} />
    </FilterForm>
  );
}

function Lines({ lines }: { lines: Line[] }) {
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('When')}</Table.Th>
            <Table.Th w={100}>{t('Level')}</Table.Th>
            <Table.Th>{t('Component')}</Table.Th>
            <Table.Th>{t('Message')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line, at) => (
            // lines have no id, and from one look to the next all of them move down
            <Table.Tr key={lines.length - at}>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>{line.timestamp ? <time dateTime={line.timestamp}>{moment(line.timestamp)}</time> : '–'}</Table.Td>
              <Table.Td>
                <Badge component="code" miw="fit-content" style={{ overflow: 'visible' }} variant={line.level in COLORS ? 'light' : 'default'} color={COLORS[line.level] ?? 'gray'} tt="none">
                  {line.level}
                </Badge>
              </Table.Td>
              <Table.Td>
                <Code>{line.component}</Code>
              </Table.Td>
              <Table.Td>
                <Text size="sm" component="span" mr="xs">
                  {line.message}
                </Text>
                {fieldsOf(line).map((field) => (
                  <Code key={field} mr={4} style={{ overflowWrap: 'anywhere' }}>
                    {field}
                  </Code>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

const fieldsOf = ({ fields }: Line) => Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
