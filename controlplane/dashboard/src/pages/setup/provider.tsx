import { Alert, Anchor, Badge, Button, Divider, Group, Select, SimpleGrid, Stack, Text } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { IconFlask } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { FailureText } from '../../parts/failure';
import { amount } from '../../parts/numbers';
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
    onSettled: () =>
      Promise.all([['providers'], ['callable-models'], setupQuery.queryKey].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  const run = (connecting: () => Promise<Connection>) => attempt.mutate(connecting);
  return (
    <Stack>
      <StepHeading title="Somebody to ask">Connect a provider. It is asked at once whether it accepts the key.</StepHeading>
      <Loaded query={query}>{(places) => <Offers places={places} busy={attempt.isPending} onTry={run} />}</Loaded>
      {attempt.isError && (
        <Alert color="red" role="alert" title="That did not work">
          <FailureText error={attempt.error} />
        </Alert>
      )}
      {tried && <Outcome tried={tried} onModel={onModel} />}
      <Group>
        <Button disabled={!tried?.verdict.valid} onClick={onNext}>
          Continue
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
            The demo provider is part of this gateway: it answers without a key, and costs nothing.
          </Text>
          <Button variant="light" leftSection={<IconFlask size={16} />} disabled={busy} onClick={() => onTry(() => connectDemo(places))}>
            Use the demo provider
          </Button>
        </Group>
      )}
      {own.map((connection) => (
        <Group key={connection.id} justify="space-between" gap="sm">
          <Text size="sm">
            Connected already: {connection.name ?? connection.email} at {find(places.catalog, connection.provider)?.provider ?? connection.provider}.
          </Text>
          <Button variant="light" disabled={busy} onClick={() => onTry(() => Promise.resolve(connection))} aria-label={`Test ${connection.name ?? connection.email}`}>
            Test
          </Button>
        </Group>
      ))}
      <Divider label="or a provider of your own" />
      <OwnProvider places={places} busy={busy} onTry={onTry} />
      <Text size="sm" c="dimmed">
        Accounts that are signed in to, and endpoints of your own, are added on the page{' '}
        <Anchor component={Link} to="/providers" size="sm" underline="always">
          Providers
        </Anchor>
        . Come back when it is done: what is connected can be tested here.
      </Text>
    </Stack>
  );
}

function OwnProvider({ places, busy, onTry }: { places: Places; busy: boolean; onTry: (connecting: () => Promise<Connection>) => void }) {
  const form = useForm({
    initialValues: { provider: '', apiKey: '', ...nowhere },
    validate: {
      provider: isNotEmpty('Choose who the key belongs to'),
      apiKey: (key, { provider }) => (key || find(places.catalog, provider)?.keyless ? null : 'Paste the key the provider gave you'),
    },
  });
  return (
    <form
      aria-label="Provider"
      onSubmit={form.onSubmit(({ provider, apiKey, ...whereabouts }) =>
        onTry(() => connect(provider, 'first account', apiKey.trim(), whereaboutsOf(find(places.catalog, provider), whereabouts))),
      )}
    >
      <Stack>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Select label="Provider" placeholder="Type to search" data={choices(places.catalog)} searchable openOnFocus={false} {...form.getInputProps('provider')} />
          <CredentialFields entry={find(places.catalog, form.values.provider)} form={form} />
        </SimpleGrid>
        <Group>
          <Button type="submit" variant="light" loading={busy}>
            Connect and test
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const SHOWN = 8;

function Outcome({ tried: { connection, verdict, models }, onModel }: { tried: Tried; onModel: (model: string) => void }) {
  const { valid, diagnosis, latencyMs, statusCode } = verdict;
  const name = connection.name ?? connection.email ?? connection.id;
  return (
    <Alert role="status" color={valid ? 'teal' : 'red'} title={valid ? `${name} works` : `${name} is stored, and does not work`}>
      <Stack gap="xs">
        <Text size="sm">
          {`${sentence(diagnosis.message)} It took ${amount(latencyMs)} ms${statusCode ? `, HTTP ${statusCode}` : ''}.`}
        </Text>
        {!valid && <Text size="sm">Correct the key above and try again: it replaces this one.</Text>}
        {valid && (
          <>
            <Text size="sm">{models.length === 1 ? '1 model' : `${amount(models.length)} models`}</Text>
            <Group gap={4}>
              {models.slice(0, SHOWN).map((model) => (
                <Badge key={model} variant="default" tt="none">
                  {model}
                </Badge>
              ))}
              {models.length > SHOWN && <Text size="xs">and {amount(models.length - SHOWN)} more</Text>}
            </Group>
            {models.length > 1 && (
              <Select
                label="Model for the first request"
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
