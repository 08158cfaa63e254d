import { ActionIcon, Badge, Button, Code, Group, Stack, Table, Text, Title, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconPencil, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { AppliedSwitch } from '../parts/applied-switch';
import { Needs } from '../parts/authority';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { when } from '../parts/numbers';
import { useProviderName } from '../parts/names';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { PolicyDialog } from './policies/policy-dialog';
import { type Policy, whatHappens, whichRequests } from './policies/words';

type List = components['schemas']['PolicyList'];

const wait = { wait: 'applied' } as const;

/** Rules over requests, and what keeps requests and logins out by itself. */
export function PoliciesPage() {
  const client = useQueryClient();
  const [edited, setEdited] = useState<Policy | 'new' | null>(null);
  const query = useQuery({ queryKey: ['policies'], queryFn: () => unwrap(api.GET('/api/policies')), refetchInterval: 10_000 });
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['policies'] });
  const post = (body: components['schemas']['PolicyBody']) => settle(api.POST('/api/policies', { params: { query: wait }, body }));
  const remove = useMutation({
    mutationFn: ({ id }: Policy) => settle(api.DELETE('/api/policies', { params: { query: { id, ...wait } } })),
    onSuccess: ({ applied }, { name, type, priority, enabled, conditions, actions }) =>
      showApplied(t('Policy deleted'), applied, {
        act: () => post({ name, type, priority, enabled, conditions, actions }),
        done: t('{name} is back', { name }),
      }),
    onSettled: refresh,
  });
  const unlock = useMutation({
    mutationFn: (identifier: string) => unwrap(api.POST('/api/policies', { body: { action: 'unlock', identifier } })),
    onSettled: refresh,
  });
  const named = keys.data?.keys ?? [];
  const keyName = (id: string) => named.find((key) => key.id === id)?.name ?? id;
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEdited('new')}>
      {t('New policy')}
    </Button>
  );
  return (
    <Needs role="operator">
      <PageHeader title={t('Policies')} hint={t('Rules over requests. Every policy that fits counts, lower priorities first.')} action={add} />
      <Loaded query={query}>
        {({ policies, circuitBreakers, lockedIdentifiers }) => (
          <Stack gap="xl">
            {policies.length === 0 ? (
              <Empty title={t('No policy yet')} hint={t('One refuses models to some keys, prefers a provider, or bounds the length of answers.')} action={add} />
            ) : (
              <Table.ScrollContainer minWidth={720}>
                <Table verticalSpacing="sm">
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('Priority')}</Table.Th>
                      <Table.Th>{t('Name')}</Table.Th>
                      <Table.Th>{t('For')}</Table.Th>
                      <Table.Th>{t('Does')}</Table.Th>
                      <Table.Th>{t('Enabled')}</Table.Th>
                      <Table.Th>
                        <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                      </Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {policies.map((policy) => (
                      <Table.Tr key={policy.id}>
                        <Table.Td>{policy.priority}</Table.Td>
                        <Table.Td>{policy.name}</Table.Td>
                        <Table.Td>{whichRequests(policy.conditions, keyName)}</Table.Td>
                        <Table.Td>{whatHappens(policy.actions)}</Table.Td>
                        <Table.Td>
                          <AppliedSwitch
                            label={t('{name} enabled', { name: policy.name })}
                            checked={policy.enabled}
                            change={(enabled) => post({ id: policy.id, enabled })}
                            done={(enabled) => (enabled ? t('Policy enabled') : t('Policy disabled'))}
                            onChanged={refresh}
                          />
                        </Table.Td>
                        <Table.Td>
                          <Group gap={4} justify="flex-end" wrap="nowrap">
                            <Tooltip label={t('Change')}>
                              <ActionIcon variant="subtle" onClick={() => setEdited(policy)} aria-label={t('Change {name}', { name: policy.name })}>
                                <IconPencil size={16} />
                              </ActionIcon>
                            </Tooltip>
                            <DeleteButton
                              what={policy.name}
                              onClick={() => confirmDelete(policy.name, t('Requests are no longer held to it.'), () => remove.mutate(policy))}
                            />
                          </Group>
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
            )}
            <Part title={t('Locked out')} hint={t('Addresses from which too many passwords were wrong.')}>
              <Locks locks={lockedIdentifiers} onUnlock={(identifier) => unlock.mutate(identifier)} />
            </Part>
            <Part title={t('Circuit breakers')} hint={t('A provider that keeps failing is not asked for a while.')}>
              <Breakers breakers={circuitBreakers} />
            </Part>
          </Stack>
        )}
      </Loaded>
      {edited && <PolicyDialog policy={edited === 'new' ? null : edited} keys={named} onClose={() => setEdited(null)} onSaved={() => void refresh()} />}
    </Needs>
  );
}

function Part({ title, hint, children }: { title: string; hint: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {hint}
      </Text>
      {children}
    </section>
  );
}

function Locks({ locks, onUnlock }: { locks: List['lockedIdentifiers']; onUnlock: (identifier: string) => void }) {
  if (locks.length === 0) return <Text size="sm">{t('Nobody is locked out.')}</Text>;
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table>
        <Table.Tbody>
          {locks.map(({ identifier, lockedUntil }) => (
            <Table.Tr key={identifier}>
              <Table.Td>
                <Code>{identifier}</Code>
              </Table.Td>
              <Table.Td>{t('until {moment}', { moment: when(new Date(lockedUntil).toISOString()) })}</Table.Td>
              <Table.Td ta="right">
                <Button size="xs" variant="light" onClick={() => onUnlock(identifier)} aria-label={t('Unlock {identifier}', { identifier })}>
                  {t('Unlock')}
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

const states: Record<List['circuitBreakers'][number]['state'], string> = {
  CLOSED: t('asked as usual'),
  OPEN: t('not asked'),
  HALF_OPEN: t('tried again'),
};

function Breakers({ breakers }: { breakers: List['circuitBreakers'] }) {
  const provider = useProviderName();
  if (breakers.length === 0) return <Text size="sm">{t('No provider was asked yet.')}</Text>;
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Provider')}</Table.Th>
            <Table.Th>{t('State')}</Table.Th>
            <Table.Th ta="right">{t('Failures in a row')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {breakers.map(({ name, state, failureCount }) => (
            <Table.Tr key={name}>
              <Table.Td>
                <Code>{provider(name)}</Code>
              </Table.Td>
              <Table.Td>
                <Badge variant="light" color={state === 'CLOSED' ? 'teal' : 'red'} tt="none">
                  {states[state]}
                </Badge>
              </Table.Td>
              <Table.Td ta="right">{failureCount}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
