import { Code, Table, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import type { components } from '../../api/schema';
import { AppliedSwitch } from '../../parts/applied-switch';
import { useProviderName } from '../../parts/names';
import { amount, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty } from '../../parts/states';

type Account = components['schemas']['ConnectionLimits'];

/** Every account with its queue, its provider's limit and its rest. */
export function Accounts({ accounts }: { accounts: Account[] }) {
  const client = useQueryClient();
  const provider = useProviderName();
  async function refresh() {
    await client.invalidateQueries({ queryKey: ['rate-limits'] });
    await client.invalidateQueries({ queryKey: ['rate-limit'] });
  }
  return (
    <Section title={t('Accounts')} hint={t('Calls to a protected account are paced, and wait for their turn.')}>
      {accounts.length === 0 ? (
        <Empty title={t('No account yet')} hint={t('Add a connection on the page of providers.')} />
      ) : (
        <Table.ScrollContainer minWidth={780}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Account')}</Table.Th>
                <Table.Th>{t('Provider')}</Table.Th>
                <Table.Th>{t('Protected')}</Table.Th>
                <Table.Th>{t('Now')}</Table.Th>
                <Table.Th>{t('Its provider’s limit')}</Table.Th>
                <Table.Th>{t('Rest')}</Table.Th>
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
                    <AppliedSwitch
                      label={t('{name} protected', { name: account.name })}
                      checked={account.enabled}
                      change={(enabled) =>
                        settle(api.PUT('/api/rate-limits', { params: { query: { wait: 'applied' } }, body: { connectionId: account.connectionId, enabled } }))
                      }
                      done={(enabled) => (enabled ? t('{name} protected', { name: account.name }) : t('{name} no longer protected', { name: account.name }))}
                      onChanged={refresh}
                    />
                  </Table.Td>
                  <Table.Td>
                    <Text size="sm">{account.active ? t('{running} running, {queued} waiting', { running: amount(account.running), queued: amount(account.queued) }) : t('not paced')}</Text>
                    {account.active && (
                      <Text size="xs" c="dimmed">
                        {t('{done} done', { done: amount(account.done) })}
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
  if (remaining == null && limit == null) return t('not known');
  const left =
    remaining != null && limit != null
      ? t('{remaining} of {limit} left', { remaining: amount(remaining), limit: amount(limit) })
      : t('{remaining} left', { remaining: amount(remaining ?? limit ?? 0) });
  return resetAt ? t('{left}, anew at {moment}', { left, moment: when(resetAt) }) : left;
}

function rest({ cooldownUntil, backoffLevel }: Account): string {
  if (!cooldownUntil) return t('none');
  const until = t('until {moment}', { moment: when(cooldownUntil) });
  return backoffLevel > 1 ? t('{until}, rest {count} in a row', { until, count: backoffLevel }) : until;
}
