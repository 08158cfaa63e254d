import { Button, Table, Text, Title, VisuallyHidden } from '@mantine/core';
import { t } from '../../i18n';
import { apiWord } from '../../parts/api-words';
import { when } from '../../parts/numbers';
import { Empty } from '../../parts/states';
import { type Run, targetName } from './run';

/** What was asked before. Runs that were compared are shown together again. */
export function RecentRuns({ runs, onShow }: { runs: Run[]; onShow: (ids: string[]) => void }) {
  const together = (run: Run) => runs.filter((other) => run.groupId && other.groupId === run.groupId && other.runId !== run.runId);
  return (
    <section aria-label={t('Recent runs')}>
      <Title order={2} size="h4" mb="sm">
        {t('Recent runs')}
      </Title>
      {runs.length === 0 ? (
        <Empty title={t('No run yet')} hint={t('Choose a suite and a model above.')} />
      ) : (
        <Table.ScrollContainer minWidth={640}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('When')}</Table.Th>
                <Table.Th>{t('Suite')}</Table.Th>
                <Table.Th>{t('Model')}</Table.Th>
                <Table.Th>{t('State')}</Table.Th>
                <Table.Th ta="right">{t('Passed')}</Table.Th>
                <Table.Th>
                  <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {runs.map((run) => (
                <Table.Tr key={run.runId}>
                  <Table.Td>{when(run.startedAt)}</Table.Td>
                  <Table.Td>{run.suiteName}</Table.Td>
                  <Table.Td>{targetName(run.target)}</Table.Td>
                  <Table.Td>{apiWord(run.status)}</Table.Td>
                  <Table.Td ta="right">
                    <Text size="sm">{t('{passed} of {total}', { passed: run.summary.passed, total: run.summary.total })}</Text>
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="xs"
                      variant="light"
                      onClick={() => onShow([run, ...together(run)].map(({ runId }) => runId))}
                      aria-label={t('Show the run of {suiteName} with {target}', { suiteName: run.suiteName, target: targetName(run.target) })}
                    >
                      {t('Show')}
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
