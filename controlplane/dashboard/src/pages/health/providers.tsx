import { Badge, Button, Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconRefresh } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { useProviderName } from '../../parts/names';
import { amount, span, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';

type Breaker = components['schemas']['BreakerView'];
type Limits = components['schemas']['RateLimitsView'];

const STATES: Record<Breaker['state'], { label: string; color: string }> = {
  CLOSED: { label: t('in use'), color: 'teal' },
  OPEN: { label: t('left alone'), color: 'red' },
  HALF_OPEN: { label: t('being tried'), color: 'gray' },
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
        title: t('Another chance'),
        message: t('Breakers closed: {resetCount}. Rests ended: {clearedCooldowns} of accounts, {clearedLockouts} of models.', { resetCount, clearedCooldowns, clearedLockouts }),
      }),
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Section
      title={t('Providers')}
      hint={t('A provider that fails again and again is left alone for a while; an account or a model that fails rests.')}
      action={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          loading={reset.isPending && reset.variables === undefined}
          onClick={() => reset.mutate(undefined)}
        >
          {t('Reset all')}
        </Button>
      }
    >
      <Loaded
        query={query}
        empty={(rows) =>
          rows.length === 0 && <Empty title={t('No provider yet')} hint={t('Add a connection on the page of providers: how it does is shown here.')} />
        }
      >
        {(rows) => (
          <Table.ScrollContainer minWidth={620}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Provider')}</Table.Th>
                  <Table.Th>{t('Breaker')}</Table.Th>
                  <Table.Th>{t('Resting')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
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
                          {t('nothing')}
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
                        aria-label={t('Reset {name}', { name: provider(breaker.name) })}
                      >
                        {t('Reset')}
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
          {breaker.lastFailureTime == null
            ? t('{count} failures', { count: amount(breaker.failureCount) })
            : t('{count} failures, the last at {moment}', { count: amount(breaker.failureCount), moment: when(new Date(breaker.lastFailureTime).toISOString()) })}
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
      of === provider && cooldownUntil ? [t('{name} until {moment}', { name, moment: when(cooldownUntil) })] : [],
    ),
    ...lockouts
      .filter((lockout) => lockout.provider === provider)
      .map(({ connectionId, model, reason, remainingMs }) =>
        t('{model} on {account} for {time} ({reason})', { model, account: names.get(connectionId) ?? connectionId, time: span(remainingMs), reason }),
      ),
  ];
}
