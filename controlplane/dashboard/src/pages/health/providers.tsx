import { Badge, Button, Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconRefresh } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { useProviderName } from '../../parts/names';
import { amount, span, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';

type Breaker = components['schemas']['BreakerView'];
type Limits = components['schemas']['RateLimitsView'];

const STATES: Record<Breaker['state'], { label: string; color: string }> = {
  CLOSED: { label: 'in use', color: 'teal' },
  OPEN: { label: 'left alone', color: 'red' },
  HALF_OPEN: { label: 'being tried', color: 'gray' },
};

/** Who is kept out of routing because it failed, and another chance for it at once. */
export function Providers() {
  const client = useQueryClient();
  const provider = useProviderName();
  const query = useQuery({
    queryKey: ['resilience', 'outages'],
    queryFn: async () => {
      const [{ circuitBreakers }, limits] = await Promise.all([
        unwrap(api.GET('/api/resilience')),
        unwrap(api.GET('/api/rate-limits')),
      ]);
      return circuitBreakers.map((breaker) => ({ breaker, rests: rests(limits, breaker.name) }));
    },
    refetchInterval: 5_000,
  });
  const reset = useMutation({
    mutationFn: (only: string | undefined) => unwrap(api.POST('/api/resilience/reset', { body: only ? { provider: only } : {} })),
    onSuccess: ({ resetCount, clearedCooldowns, clearedLockouts }) =>
      notifications.show({
        color: 'teal',
        title: 'Another chance',
        message: `Breakers closed: ${resetCount}. Rests ended: ${clearedCooldowns} of accounts, ${clearedLockouts} of models.`,
      }),
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Section
      title="Providers"
      hint="A provider that fails again and again is left alone for a while; an account or a model that fails rests."
      action={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          loading={reset.isPending && reset.variables === undefined}
          onClick={() => reset.mutate(undefined)}
        >
          Reset all
        </Button>
      }
    >
      <Loaded
        query={query}
        empty={(rows) =>
          rows.length === 0 && <Empty title="No provider yet" hint="Add a connection on the page of providers: how it does is shown here." />
        }
      >
        {(rows) => (
          <Table.ScrollContainer minWidth={620}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Provider</Table.Th>
                  <Table.Th>Breaker</Table.Th>
                  <Table.Th>Resting</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map(({ breaker, rests }) => (
                  <Table.Tr key={breaker.name}>
                    <Table.Td>
                      <Code>{provider(breaker.name)}</Code>
                    </Table.Td>
                    <Table.Td>
                      <Standing breaker={breaker} />
                    </Table.Td>
                    <Table.Td>
                      {rests.length === 0 ? (
                        <Text size="sm" c="dimmed">
                          nothing
                        </Text>
                      ) : (
                        rests.map((rest) => (
                          <Text size="sm" key={rest}>
                            {rest}
                          </Text>
                        ))
                      )}
                    </Table.Td>
                    <Table.Td ta="right">
                      <Button
                        size="xs"
                        variant="light"
                        disabled={breaker.state === 'CLOSED' && rests.length === 0}
                        loading={reset.isPending && reset.variables === breaker.name}
                        onClick={() => reset.mutate(breaker.name)}
                        aria-label={`Reset ${provider(breaker.name)}`}
                      >
                        Reset
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </Section>
  );
}

function Standing({ breaker }: { breaker: Breaker }) {
  const { label, color } = STATES[breaker.state];
  return (
    <Stack gap={2} align="flex-start">
      <Badge variant="light" color={color} tt="none">
        {label}
      </Badge>
      {breaker.state !== 'CLOSED' && (
        <Text size="xs" c="dimmed">
          {amount(breaker.failureCount)} failures
          {breaker.lastFailureTime != null && `, the last at ${when(new Date(breaker.lastFailureTime).toISOString())}`}
        </Text>
      )}
    </Stack>
  );
}

/** In words: the accounts of a provider that rest, and the models that rest on one. */
function rests({ connections, lockouts }: Limits, provider: string): string[] {
  const names = new Map(connections.map((connection) => [connection.connectionId, connection.name]));
  return [
    ...connections.flatMap(({ provider: of, name, cooldownUntil }) =>
      of === provider && cooldownUntil ? [`${name} until ${when(cooldownUntil)}`] : [],
    ),
    ...lockouts
      .filter((lockout) => lockout.provider === provider)
      .map(({ connectionId, model, reason, remainingMs }) =>
        `${model} on ${names.get(connectionId) ?? connectionId} for ${span(remainingMs)} (${reason})`,
      ),
  ];
}
