import { Code, Table, Text } from '@mantine/core';
import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { apiWord } from '../../parts/api-words';
import { useProviderName } from '../../parts/names';
import { milliseconds } from '../../parts/numbers';
import { Section } from '../../parts/section';

type Explanation = components['schemas']['ExplanationView'];

/** As a data plane writes it down; the management API does not say more than that it is an object. */
type Attempt = {
  provider?: string;
  model?: string;
  connectionId?: string;
  outcome?: string;
  httpStatus?: number;
  startedAfterMs?: number;
  durationMs?: number;
  hedge?: boolean;
};

/** Who was called, in this order. */
export function Attempts({ explanation: { attempts, decision } }: { explanation: Explanation }) {
  const provider = useProviderName();
  const names = new Map(decision?.candidates.map(({ connectionId, connectionName }) => [connectionId, connectionName]));
  return (
    <Section title={t('Attempts')} hint={t('Calls to providers, in the order in which they began.')}>
      {attempts.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t('No provider was called.')}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Account')}</Table.Th>
                <Table.Th>{t('Model')}</Table.Th>
                <Table.Th>{t('Outcome')}</Table.Th>
                <Table.Th ta="right">{t('Began after')}</Table.Th>
                <Table.Th ta="right">{t('Took')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {attempts.map((attempt: Attempt, index) => (
                <Table.Tr key={index}>
                  <Table.Td>{(attempt.connectionId && names.get(attempt.connectionId)) ?? attempt.connectionId ?? '–'}</Table.Td>
                  <Table.Td>
                    <Code>{`${provider(attempt.provider)}/${attempt.model}`}</Code>
                  </Table.Td>
                  <Table.Td>
                    {attempt.outcome && apiWord(attempt.outcome)}
                    {attempt.httpStatus ? `, ${attempt.httpStatus}` : ''}
                    {attempt.hedge ? t(', beside another one that was slow') : ''}
                  </Table.Td>
                  <Table.Td ta="right">{milliseconds(attempt.startedAfterMs ?? 0)}</Table.Td>
                  <Table.Td ta="right">{milliseconds(attempt.durationMs ?? 0)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}
