import { Badge, Code, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../api/client';
import { Empty, Loaded, PageHeader } from '../parts/states';

export function RequestsPage() {
  const query = useQuery({
    queryKey: ['usage-logs'],
    queryFn: () => unwrap(api.GET('/api/usage/logs')),
    refetchInterval: 3_000,
  });
  return (
    <>
      <PageHeader title="Requests" hint="The newest requests, as they were accounted." />
      <Loaded
        query={query}
        empty={(data) => data.logs.length === 0 && <Empty title="No request yet" hint="Send one: the overview has a command to copy." />}
      >
        {(data) => (
          <Table.ScrollContainer minWidth={860}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>When</Table.Th>
                  <Table.Th>Asked for</Table.Th>
                  <Table.Th>Served by</Table.Th>
                  <Table.Th>Key</Table.Th>
                  <Table.Th>Status</Table.Th>
                  <Table.Th ta="right">Tokens in</Table.Th>
                  <Table.Th ta="right">Tokens out</Table.Th>
                  <Table.Th ta="right">Took</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.logs.map((log) => (
                  <Table.Tr key={log.id}>
                    <Table.Td>{new Date(log.timestamp).toLocaleTimeString()}</Table.Td>
                    <Table.Td>
                      <Code>{log.requestedModel}</Code>
                    </Table.Td>
                    <Table.Td>
                      {log.provider ? (
                        <Code>
                          {log.provider}/{log.model}
                        </Code>
                      ) : (
                        <Text size="sm" c="dimmed">
                          nobody
                        </Text>
                      )}
                    </Table.Td>
                    <Table.Td>{log.keyName ?? '–'}</Table.Td>
                    <Table.Td>
                      <Badge variant="light" color={log.status < 400 ? 'teal' : 'red'}>
                        {log.status}
                      </Badge>
                    </Table.Td>
                    <Table.Td ta="right">{log.tokens.input}</Table.Td>
                    <Table.Td ta="right">{log.tokens.output}</Table.Td>
                    <Table.Td ta="right">{log.durationMs} ms</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </>
  );
}
