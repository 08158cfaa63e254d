import { Code, Table, Text } from '@mantine/core';
import type { components } from '../../api/schema';
import { useProviderName } from '../../parts/names';
import { amount } from '../../parts/numbers';
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
    <Section title="Attempts" hint="Calls to providers, in the order in which they began.">
      {attempts.length === 0 ? (
        <Text size="sm" c="dimmed">
          No provider was called.
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Account</Table.Th>
                <Table.Th>Model</Table.Th>
                <Table.Th>Outcome</Table.Th>
                <Table.Th ta="right">Began after</Table.Th>
                <Table.Th ta="right">Took</Table.Th>
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
                    {attempt.outcome}
                    {attempt.httpStatus ? `, ${attempt.httpStatus}` : ''}
                    {attempt.hedge ? ', beside another one that was slow' : ''}
                  </Table.Td>
                  <Table.Td ta="right">{amount(attempt.startedAfterMs ?? 0)} ms</Table.Td>
                  <Table.Td ta="right">{amount(attempt.durationMs ?? 0)} ms</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}
