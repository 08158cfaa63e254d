import { Code, Table, Text } from '@mantine/core';
import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { useProviderName } from '../../parts/names';
import { span } from '../../parts/numbers';
import { Section } from '../../parts/section';

/** Models that rest on one account, which goes on with its others. */
export function RestingModels({ limits: { connections, lockouts } }: { limits: components['schemas']['RateLimitsView'] }) {
  const provider = useProviderName();
  const names = new Map(connections.map(({ connectionId, name }) => [connectionId, name]));
  return (
    <Section
      title={t('Resting models')}
      hint={t('One model of an account, while the account goes on with its others. The page of health ends rests.')}
    >
      {lockouts.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t('No model rests.')}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={520}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Model')}</Table.Th>
                <Table.Th>{t('Account')}</Table.Th>
                <Table.Th>{t('Why')}</Table.Th>
                <Table.Th ta="right">{t('For another')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {lockouts.map((lockout) => (
                <Table.Tr key={`${lockout.connectionId} ${lockout.model}`}>
                  <Table.Td>
                    <Code>{`${provider(lockout.provider)}/${lockout.model}`}</Code>
                  </Table.Td>
                  <Table.Td>{names.get(lockout.connectionId) ?? lockout.connectionId}</Table.Td>
                  <Table.Td>{lockout.reason}</Table.Td>
                  <Table.Td ta="right">{span(lockout.remainingMs)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}
