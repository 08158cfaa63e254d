import { Code, Switch, Table, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, settle } from '../../api/client';
import type { components } from '../../api/schema';
import { showApplied } from '../../parts/failure';
import { useProviderName } from '../../parts/names';
import { amount, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty } from '../../parts/states';

type Account = components['schemas']['ConnectionLimits'];

/** Every account with its queue, its provider's limit and its rest. */
export function Accounts({ accounts }: { accounts: Account[] }) {
  const client = useQueryClient();
  const provider = useProviderName();
  const protect = useMutation({
    mutationFn: ({ connectionId, enabled }: Pick<Account, 'connectionId' | 'name' | 'enabled'>) =>
      settle(api.PUT('/api/rate-limits', { params: { query: { wait: 'applied' } }, body: { connectionId, enabled } })),
    onSuccess: ({ applied }, { name, enabled }) => showApplied(`${name} ${enabled ? 'protected' : 'no longer protected'}`, applied),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['rate-limits'] });
      await client.invalidateQueries({ queryKey: ['rate-limit'] });
    },
  });
  return (
    <Section title="Accounts" hint="Calls to a protected account are paced, and wait for their turn.">
      {accounts.length === 0 ? (
        <Empty title="No account yet" hint="Add a connection on the page of providers." />
      ) : (
        <Table.ScrollContainer minWidth={780}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Account</Table.Th>
                <Table.Th>Provider</Table.Th>
                <Table.Th>Protected</Table.Th>
                <Table.Th>Now</Table.Th>
                <Table.Th>Its provider’s limit</Table.Th>
                <Table.Th>Rest</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {accounts.map((account) => (
                <Table.Tr key={account.connectionId}>
                  <Table.Td>{account.name}</Table.Td>
                  <Table.Td>
                    <Code>{provider(account.provider)}</Code>
                  </Table.Td>
                  <Table.Td>
                    <Switch
                      checked={account.enabled}
                      onChange={(event) => protect.mutate({ ...account, enabled: event.currentTarget.checked })}
                      aria-label={`${account.name} protected`}
                    />
                  </Table.Td>
                  <Table.Td>
                    <Text size="sm">{account.active ? `${amount(account.running)} running, ${amount(account.queued)} waiting` : 'not paced'}</Text>
                    {account.active && (
                      <Text size="xs" c="dimmed">
                        {amount(account.done)} done
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td>{quota(account)}</Table.Td>
                  <Table.Td>{rest(account)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}

function quota({ limit, remaining, resetAt }: Account): string {
  const left = [remaining, limit].filter((count) => count != null).map(amount).join(' of ');
  if (!left) return 'not known';
  return `${left} left${resetAt ? `, anew at ${when(resetAt)}` : ''}`;
}

function rest({ cooldownUntil, backoffLevel }: Account): string {
  if (!cooldownUntil) return 'none';
  return `until ${when(cooldownUntil)}${backoffLevel > 1 ? `, rest ${backoffLevel} in a row` : ''}`;
}
