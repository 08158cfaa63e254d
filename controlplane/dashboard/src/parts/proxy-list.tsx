import { Alert, Badge, Button, Code, Group, NumberInput, PasswordInput, Select, SimpleGrid, Stack, Table, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, settle, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { t } from '../i18n';
import { confirmDelete } from './confirm';
import { DeleteButton } from './delete-button';
import { showApplied } from './failure';
import { milliseconds } from './numbers';
import { type Place, type PlacedProxy, type Proxy, addressOf, placeKey, placedProxies, proxiesQuery } from './proxies';
import { SettingForm } from './setting-form';
import { Loaded } from './states';

type Result = components['schemas']['ProxyTestView'];
type Placed = Pick<PlacedProxy, 'level' | 'id'>;

const wait = { query: { wait: 'applied' } } as const;

/** The proxies of some places: each tried and deleted, and one set, for the first place if nobody chooses another. `none` is said where there are none. */
export function ProxyList({ places, none }: { places: Place[]; none: string }) {
  const client = useQueryClient();
  const known = new Map(places.map((place) => [placeKey(place), place]));
  const [first] = known.keys();
  const [target, setTarget] = useState(first);
  const [results, setResults] = useState<Record<string, Result>>({});
  const config = useQuery(proxiesQuery);
  const test = useMutation({
    mutationFn: ({ level, id }: Placed) => unwrap(api.POST('/api/settings/proxy/test', { body: { level, id } })),
    onSuccess: (result, place) => setResults((before) => ({ ...before, [placeKey(place)]: result })),
  });
  const remove = useMutation({
    mutationFn: ({ level, id }: Placed) => settle(api.DELETE('/api/settings/proxy', { params: { query: { level, ...(id && { id }), wait: 'applied' } } })),
    onSuccess: ({ applied }) => showApplied(t('Proxy deleted'), applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['settings'] }),
  });
  const chosen = known.get(target ?? '') ?? places[0];
  return (
    <Loaded query={config}>
      {(stored) => {
        const proxies = placedProxies(stored).filter((entry) => known.has(placeKey(entry)));
        return (
          <Stack gap="lg">
            {proxies.length === 0 ? (
              <Text size="sm" c="dimmed">
                {none}
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
                    {proxies.map((entry) => {
                      const key = placeKey(entry);
                      const name = known.get(key)?.name ?? key;
                      const what = t('the proxy for {key}', { key: name });
                      return (
                        <Table.Tr key={key}>
                          <Table.Td>{name}</Table.Td>
                          <Table.Td>
                            <Code>{addressOf(entry.proxy)}</Code>
                            {results[key] && <Outcome result={results[key]} />}
                          </Table.Td>
                          <Table.Td>
                            <Group gap="xs" justify="flex-end" wrap="nowrap">
                              <Button
                                size="xs"
                                variant="light"
                                loading={test.isPending && placeKey(test.variables) === key}
                                onClick={() => test.mutate(entry)}
                                aria-label={t('Test the proxy for {key}', { key: name })}
                              >
                                {t('Test')}
                              </Button>
                              <DeleteButton
                                what={what}
                                onClick={() => confirmDelete(what, t('Calls go through the next one, or directly.'), () => remove.mutate(entry))}
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
              data={[...known].map(([value, { name }]) => ({ value, label: name }))}
              value={target ?? null}
              onChange={(next) => next && setTarget(next)}
            />
            {chosen && (
              <ProxyForm
                key={`${placeKey(chosen)} ${JSON.stringify(stored)}`}
                place={chosen}
                stored={proxies.find((entry) => placeKey(entry) === placeKey(chosen))?.proxy}
              />
            )}
          </Stack>
        );
      }}
    </Loaded>
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
