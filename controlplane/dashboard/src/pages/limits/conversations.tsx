import { Code, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { useProviderName } from '../../parts/names';
import { amount, span, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';

/** More are counted, and nobody reads them. */
const SHOWN = 100;

/** The conversations of the last half hour, the last active first. */
export function Conversations() {
  const provider = useProviderName();
  const query = useQuery({
    queryKey: ['sessions'],
    queryFn: async () => {
      const [sessions, { keys }] = await Promise.all([unwrap(api.GET('/api/sessions')), unwrap(api.GET('/api/keys'))]);
      return { ...sessions, keys: new Map(keys.map(({ id, name }) => [id, name])) };
    },
    refetchInterval: 5_000,
  });
  return (
    <Section title={t('Conversations')} hint={t('Of the last half hour. Nothing that was said is kept.')}>
      <Loaded
        query={query}
        empty={({ count }) =>
          count === 0 && (
            <Empty
              title={t('No conversation goes on')}
              hint={t(
                'A client names its conversation in the header X-Session-Id; with session affinity switched on, others are recognised by how they began.',
              )}
            />
          )
        }
      >
        {({ sessions, count, limit, keys }) => (
          <>
            <Table.ScrollContainer minWidth={680}>
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('Conversation')}</Table.Th>
                    <Table.Th>{t('API key')}</Table.Th>
                    <Table.Th>{t('Answered last by')}</Table.Th>
                    <Table.Th ta="right">{t('Requests')}</Table.Th>
                    <Table.Th ta="right">{t('Since')}</Table.Th>
                    <Table.Th>{t('Last active')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {sessions.slice(0, SHOWN).map((session) => (
                    <Table.Tr key={`${session.apiKeyId} ${session.sessionId}`}>
                      <Table.Td>
                        <Code>{session.sessionId}</Code>
                      </Table.Td>
                      <Table.Td>{session.apiKeyId ? (keys.get(session.apiKeyId) ?? session.apiKeyId) : t('none')}</Table.Td>
                      <Table.Td>
                        <Code>{`${provider(session.provider)}/${session.model}`}</Code>
                      </Table.Td>
                      <Table.Td ta="right">{amount(session.requestCount)}</Table.Td>
                      <Table.Td ta="right">{span(session.ageMs)}</Table.Td>
                      <Table.Td>{when(new Date(session.lastActive).toISOString())}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            <Text size="xs" c="dimmed" mt="xs">
              {count > SHOWN
                ? t('Conversations: {count} of at most {limit}; the {shown} last active are shown.', {
                    count: amount(count),
                    limit: amount(limit),
                    shown: SHOWN,
                  })
                : t('Conversations: {count} of at most {limit}.', { count: amount(count), limit: amount(limit) })}
            </Text>
          </>
        )}
      </Loaded>
    </Section>
  );
}
