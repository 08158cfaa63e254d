import { Alert, Badge, Button, Code, Group, NumberInput, PasswordInput, Select, SimpleGrid, Stack, Table, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { milliseconds } from '../../parts/numbers';
import { Loaded } from '../../parts/states';
import { Section, SettingForm } from './group';

type Proxy = components['schemas']['ProxyView'];
type Config = components['schemas']['ProxyConfigView'];
type Result = components['schemas']['ProxyTestView'];
type Place = { level: Level; id: string | null; name: string };
type Level = 'global' | 'provider' | 'combo' | 'key';

const wait = { query: { wait: 'applied' } } as const;

async function readConfig(): Promise<Config> {
  const answer = await unwrap(api.GET('/api/settings/proxy'));
  if (!('providers' in answer)) throw new Error('the API answered about one proxy, and was asked about all');
  return answer;
}

/** What a proxy can be for, by the value of an option: `level id`. */
async function readPlaces(): Promise<Map<string, Place>> {
  const [{ catalog }, { combos }, { connections }] = await Promise.all([
    unwrap(api.GET('/api/models/catalog')),
    unwrap(api.GET('/api/combos')),
    unwrap(api.GET('/api/providers')),
  ]);
  const places: Place[] = [
    { level: 'global', id: null, name: t('everything') },
    ...Object.values(catalog).map(({ id, provider }) => ({ level: 'provider' as const, id, name: t('provider {name}', { name: provider }) })),
    ...combos.map(({ id, name }) => ({ level: 'combo' as const, id, name: t('combo {name}', { name }) })),
    ...connections.map(({ id, name, provider }) => ({ level: 'key' as const, id, name: t('connection {name}', { name: name ?? provider }) })),
  ];
  return new Map(places.map((place) => [option(place), place]));
}

const option = ({ level, id }: { level: Level; id: string | null }) => (id ? `${level} ${id}` : level);

/** Proxies that calls to providers go through; the closest to the connection counts. */
export function ProxySettings() {
  const client = useQueryClient();
  const [target, setTarget] = useState('global');
  const [results, setResults] = useState<Record<string, Result>>({});
  const config = useQuery({ queryKey: ['settings', 'proxy'], queryFn: readConfig });
  const places = useQuery({ queryKey: ['settings', 'proxy-places'], queryFn: readPlaces });
  const test = useMutation({
    mutationFn: ({ level, id }: { level: Level; id: string | null }) => unwrap(api.POST('/api/settings/proxy/test', { body: { level, id } })),
    onSuccess: (result, place) => setResults((before) => ({ ...before, [option(place)]: result })),
  });
  const remove = useMutation({
    mutationFn: ({ level, id }: { level: Level; id: string | null }) =>
      settle(api.DELETE('/api/settings/proxy', { params: { query: { level, ...(id && { id }), wait: 'applied' } } })),
    onSuccess: ({ applied }) => showApplied(t('Proxy deleted'), applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['settings'] }),
  });
  const named = (key: string) => places.data?.get(key)?.name ?? key;

  return (
    <Section
      title={t('Proxies')}
      hint={t("What calls to providers go through. A connection's own comes before its combo's, that before its provider's, that before the one for everything.")}
      role="admin"
    >
      <Loaded query={config}>
        {(stored) => {
          const proxies = flat(stored);
          return (
            <Stack gap="lg">
              {proxies.length === 0 ? (
                <Text size="sm" c="dimmed">
                  {t('No proxy yet: providers are called directly.')}
                </Text>
              ) : (
                <Table.ScrollContainer minWidth={480}>
                  <Table verticalSpacing="xs">
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('For')}</Table.Th>
                        <Table.Th>{t('Proxy')}</Table.Th>
                        <Table.Th>
                          <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                        </Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {proxies.map(({ level, id, proxy }) => {
                        const key = option({ level, id });
                        return (
                          <Table.Tr key={key}>
                            <Table.Td>{named(key)}</Table.Td>
                            <Table.Td>
                              <Code>
                                {proxy.type}://{proxy.username ? `${proxy.username}@` : ''}
                                {proxy.host}:{proxy.port}
                              </Code>
                              {results[key] && <Outcome result={results[key]} />}
                            </Table.Td>
                            <Table.Td>
                              <Group gap="xs" justify="flex-end" wrap="nowrap">
                                <Button
                                  size="xs"
                                  variant="light"
                                  loading={test.isPending && option(test.variables) === key}
                                  onClick={() => test.mutate({ level, id })}
                                  aria-label={t('Test the proxy for {key}', { key: named(key) })}
                                >
                                  {t('Test')}
                                </Button>
                                <DeleteButton
                                  what={t('the proxy for {key}', { key: named(key) })}
                                  onClick={() =>
                                    confirmDelete(t('the proxy for {key}', { key: named(key) }), t('Calls go through the next one, or directly.'), () => remove.mutate({ level, id }))
                                  }
                                />
                              </Group>
                            </Table.Td>
                          </Table.Tr>
                        );
                      })}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
              )}
              <Select
                label={t('Set the proxy for')}
                searchable
                // some fifty options are made when they are looked at
                comboboxProps={{ keepMounted: false }}
                allowDeselect={false}
                data={[...(places.data ?? [])].map(([value, { name }]) => ({ value, label: name }))}
                value={target}
                onChange={(next) => next && setTarget(next)}
              />
              <ProxyForm
                key={`${target} ${JSON.stringify(stored)}`}
                place={places.data?.get(target) ?? { level: 'global', id: null, name: t('everything') }}
                stored={proxies.find((entry) => option(entry) === target)?.proxy}
              />
            </Stack>
          );
        }}
      </Loaded>
    </Section>
  );
}

function ProxyForm({ place: { level, id }, stored }: { place: Place; stored: Proxy | undefined }) {
  const values = {
    type: stored?.type ?? 'http',
    host: stored?.host ?? '',
    port: (stored?.port ?? '') as number | string,
    username: stored?.username ?? '',
    // the API's mask: sent back, it keeps the password that is stored
    password: stored?.password ?? '',
  };
  return (
    <SettingForm
      title={t('Proxy')}
      values={values}
      within="proxy"
      save={({ type, host, port, username, password }) =>
        settle(
          api.PATCH('/api/settings/proxy', {
            params: wait,
            body: {
              level,
              ...(id && { id }),
              proxy: { type, host, ...(port !== '' && { port: Number(port) }), ...(username && { username }), ...(password && { password }) },
            },
          }),
        )
      }
    >
      {(form) => (
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <Select label={t('Type')} data={['http', 'https', 'socks5']} allowDeselect={false} {...form.getInputProps('type')} />
          <TextInput label={t('Host')} {...form.getInputProps('host')} />
          <NumberInput label={t('Port')} placeholder={t('as usual for the type')} allowDecimal={false} {...form.getInputProps('port')} />
          <TextInput label={t('Username')} placeholder={t('optional')} autoComplete="off" {...form.getInputProps('username')} />
          <PasswordInput
            label={t('Password')}
            placeholder={t('optional')}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': t('Show the password of the proxy') }}
            {...form.getInputProps('password')}
          />
        </SimpleGrid>
      )}
    </SettingForm>
  );
}

function Outcome({ result: { success, publicIp, error, latencyMs } }: { result: Result }) {
  return success ? (
    <Badge variant="light" tt="none" role="status">
      {t('works, as {publicIp}, {time}', { publicIp: publicIp ?? '', time: milliseconds(latencyMs) })}
    </Badge>
  ) : (
    <Alert color="red" mt="xs" p="xs" title={t('It leads nowhere')}>
      {error}
    </Alert>
  );
}

function flat({ global, providers, combos, keys }: Config): { level: Level; id: string | null; proxy: Proxy }[] {
  const of = (level: Level, map: Record<string, Proxy>) => Object.entries(map).map(([id, proxy]) => ({ level, id, proxy }));
  return [
    ...(global ? [{ level: 'global' as const, id: null, proxy: global }] : []),
    ...of('provider', providers),
    ...of('combo', combos),
    ...of('key', keys),
  ];
}
