import { Button, Table, Text, Title, VisuallyHidden } from '@mantine/core';
import { when } from '../../parts/numbers';
import { Empty } from '../../parts/states';
import { type Run, targetName } from './run';

/** What was asked before. Runs that were compared are shown together again. */
export function RecentRuns({ runs, onShow }: { runs: Run[]; onShow: (ids: string[]) => void }) {
  const together = (run: Run) => runs.filter((other) => run.groupId && other.groupId === run.groupId && other.runId !== run.runId);
  return (
    <section aria-label="Recent runs">
      <Title order={2} size="h4" mb="sm">
        Recent runs
      </Title>
      {runs.length === 0 ? (
        <Empty title="No run yet" hint="Choose a suite and a model above." />
      ) : (
        <Table.ScrollContainer minWidth={640}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>Suite</Table.Th>
                <Table.Th>Model</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th ta="right">Passed</Table.Th>
                <Table.Th>
                  <VisuallyHidden>Actions</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {runs.map((run) => (
                <Table.Tr key={run.runId}>
                  <Table.Td>{when(run.startedAt)}</Table.Td>
                  <Table.Td>{run.suiteName}</Table.Td>
                  <Table.Td>{targetName(run.target)}</Table.Td>
                  <Table.Td>{run.status}</Table.Td>
                  <Table.Td ta="right">
                    <Text size="sm">
                      {run.summary.passed} of {run.summary.total}
                    </Text>
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="xs"
                      variant="light"
                      onClick={() => onShow([run, ...together(run)].map(({ runId }) => runId))}
                      aria-label={`Show the run of ${run.suiteName} with ${targetName(run.target)}`}
                    >
                      Show
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </section>
  );
}
