import { Alert, Anchor, Badge, Button, Divider, Group, Select, SimpleGrid, Stack, Text } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { IconFlask } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { rich, t } from '../../i18n';
import { FailureText } from '../../parts/failure';
import { amount, milliseconds } from '../../parts/numbers';
import { sentence } from '../../parts/sentence';
import { Loaded } from '../../parts/states';
import { CredentialFields, nowhere, whereaboutsOf } from '../providers/credential-fields';
import { type Connection, choices, find } from '../providers/groups';
import { type Places, type Tried, connect, connectDemo, isDemo, placesQuery, tryOut } from './connect';
import { StepHeading } from './heading';
import { setupQuery } from './state';

type Props = { onModel: (model: string) => void; onNext: () => void };

/** Somebody to ask, and the proof that they answer. */
export function ProviderStep({ onModel, onNext }: Props) {
  const client = useQueryClient();
  const query = useQuery(placesQuery);
  const [tried, setTried] = useState<Tried | null>(null);
  const attempt = useMutation({
    mutationFn: async (connecting: () => Promise<Connection>) => tryOut(await connecting()),
    onMutate: () => setTried(null),
    onSuccess: (done) => {
      setTried(done);
      if (done.models[0]) onModel(done.models[0]);
    },
    // it is shown below the form
    onError: () => undefined,
    onSettled: () => Promise.all([['providers'], ['callable-models'], setupQuery.queryKey].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  const run = (connecting: () => Promise<Connection>) => attempt.mutate(connecting);
  return (
    <Stack>
      <StepHeading title={t('Somebody to ask')}>{t('Connect a provider. It is asked at once whether it accepts the key.')}</StepHeading>
      <Loaded query={query}>{(places) => <Offers places={places} busy={attempt.isPending} onTry={run} />}</Loaded>
      {attempt.isError && (
        <Alert color="red" role="alert" title={t('That did not work')}>
          <FailureText error={attempt.error} />
        </Alert>
      )}
      {tried && <Outcome tried={tried} onModel={onModel} />}
      <Group>
        <Button disabled={!tried?.verdict.valid} onClick={onNext}>
          {t('Continue')}
        </Button>
      </Group>
    </Stack>
  );
}

function Offers({ places, busy, onTry }: { places: Places; busy: boolean; onTry: (connecting: () => Promise<Connection>) => void }) {
  const own = places.connections.filter((connection) => !isDemo(connection, places.nodes));
  return (
    <Stack>
      {places.servesDemo && (
        <Group justify="space-between" gap="sm">
          <Text size="sm" maw={460}>
            {t('The demo provider is part of this gateway: it answers without a key, and costs nothing.')}
          </Text>
          <Button variant="light" leftSection={<IconFlask size={16} />} disabled={busy} onClick={() => onTry(() => connectDemo(places))}>
            {t('Use the demo provider')}
          </Button>
        </Group>
      )}
      {own.map((connection) => (
        <Group key={connection.id} justify="space-between" gap="sm">
          <Text size="sm">
            {t('Connected already: {name} at {provider}.', {
              name: nameOf(connection),
              provider: find(places.catalog, connection.provider)?.provider ?? connection.provider,
            })}
          </Text>
          <Button
            variant="light"
            disabled={busy}
            onClick={() => onTry(() => Promise.resolve(connection))}
            aria-label={t('Test {name}', { name: nameOf(connection) })}
          >
            {t('Test')}
          </Button>
        </Group>
      ))}
      <Divider label={t('or a provider of your own')} />
      <OwnProvider places={places} busy={busy} onTry={onTry} />
      <Text size="sm" c="dimmed">
        {rich(
          'Accounts that are signed in to, and endpoints of your own, are added on the page {link}. Come back when it is done: what is connected can be tested here.',
          {
            link: (
              <Anchor component={Link} to="/providers" size="sm" underline="always">
                {t('Providers')}
              </Anchor>
            ),
          },
        )}
      </Text>
    </Stack>
  );
}

function OwnProvider({ places, busy, onTry }: { places: Places; busy: boolean; onTry: (connecting: () => Promise<Connection>) => void }) {
  const form = useForm({
    initialValues: { provider: '', apiKey: '', ...nowhere },
    validate: {
      provider: isNotEmpty(t('Choose who the key belongs to')),
      apiKey: (key, { provider }) => (key || find(places.catalog, provider)?.keyless ? null : t('Paste the key the provider gave you')),
    },
  });
  return (
    <form
      aria-label={t('Provider')}
      onSubmit={form.onSubmit(({ provider, apiKey, ...whereabouts }) =>
        onTry(() => connect(provider, t('first account'), apiKey.trim(), whereaboutsOf(find(places.catalog, provider), whereabouts))),
      )}
    >
      <Stack>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Select
            label={t('Provider')}
            placeholder={t('Type to search')}
            data={choices(places.catalog)}
            searchable
            openOnFocus={false}
            {...form.getInputProps('provider')}
          />
          <CredentialFields entry={find(places.catalog, form.values.provider)} form={form} />
        </SimpleGrid>
        <Group>
          <Button type="submit" variant="light" loading={busy}>
            {t('Connect and test')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const nameOf = ({ id, name, email }: Connection) => name ?? email ?? id;

const took = (latencyMs: number, statusCode: number | null | undefined) =>
  statusCode
    ? t('It took {time}, HTTP {statusCode}.', { time: milliseconds(latencyMs), statusCode })
    : t('It took {time}.', { time: milliseconds(latencyMs) });

const SHOWN = 8;

function Outcome({ tried: { connection, verdict, models }, onModel }: { tried: Tried; onModel: (model: string) => void }) {
  const { valid, diagnosis, latencyMs, statusCode } = verdict;
  const name = nameOf(connection);
  return (
    <Alert
      role="status"
      color={valid ? 'teal' : 'red'}
      title={valid ? t('{name} works', { name }) : t('{name} is stored, and does not work', { name })}
    >
      <Stack gap="xs">
        <Text size="sm">{`${sentence(diagnosis.message)} ${took(latencyMs, statusCode)}`}</Text>
        {!valid && <Text size="sm">{t('Correct the key above and try again: it replaces this one.')}</Text>}
        {valid && (
          <>
            <Text size="sm">{models.length === 1 ? t('1 model') : t('{length} models', { length: amount(models.length) })}</Text>
            <Group gap={4}>
              {models.slice(0, SHOWN).map((model) => (
                <Badge key={model} variant="default" tt="none">
                  {model}
                </Badge>
              ))}
              {models.length > SHOWN && <Text size="xs">{t('and {length} more', { length: amount(models.length - SHOWN) })}</Text>}
            </Group>
            {models.length > 1 && (
              <Select
                label={t('Model for the first request')}
                data={models}
                defaultValue={models[0]}
                searchable
                allowDeselect={false}
                limit={100}
                maw={420}
                onChange={(model) => model && onModel(model)}
              />
            )}
          </>
        )}
      </Stack>
    </Alert>
  );
}
