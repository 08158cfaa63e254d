import { Badge, Button, Card, Group, Progress, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQueries, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { apiWord } from '../../parts/api-words';
import { FailureText } from '../../parts/failure';
import { amount, milliseconds, percent } from '../../parts/numbers';
import { type CaseResult, type Run, sideBySide, targetName } from './run';

/** Asked again for as long as it runs. */
const runQuery = (runId: string) => ({
  queryKey: ['eval-run', runId],
  queryFn: () => unwrap(api.GET('/api/evals/runs/{runId}', { params: { path: { runId } } })),
  refetchInterval: ({ state }: { state: { data?: Run } }) => (state.data?.status === 'running' ? 1_000 : false),
});

/** One run, or two that are compared, case by case. */
export function FollowedRuns({ ids }: { ids: string[] }) {
  const client = useQueryClient();
  const queries = useQueries({ queries: ids.map(runQuery) });
  const cancel = useMutation({
    mutationFn: (runId: string) => unwrap(api.DELETE('/api/evals/runs/{runId}', { params: { path: { runId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['eval-run'] }),
  });
  const runs = queries.flatMap(({ data }) => (data ? [data] : []));
  const failed = queries.find(({ isError }) => isError);
  const cases = sideBySide(runs);
  return (
    <section aria-label={t('Results')}>
      <Title order={2} size="h4" mb="sm">
        {runs[0] ? t('Results: {suite}', { suite: runs[0].suiteName }) : t('Results')}
      </Title>
      {failed && <FailureText error={failed.error} />}
      <Stack>
        <SimpleGrid cols={{ base: 1, sm: runs.length || 1 }}>
          {runs.map((run) => (
            <Standing key={run.runId} run={run} onCancel={() => cancel.mutate(run.runId)} />
          ))}
        </SimpleGrid>
        {cases.length > 0 && (
          <Table.ScrollContainer minWidth={480}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Case')}</Table.Th>
                  {runs.map((run) => (
                    <Table.Th key={run.runId}>{targetName(run.target)}</Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {cases.map(({ id, name, found }) => (
                  <Table.Tr key={id}>
                    <Table.Td valign="top">{name}</Table.Td>
                    {found.map((result, at) => (
                      <Table.Td key={at} valign="top">
                        <Found result={result} />
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Stack>
    </section>
  );
}

function Standing({ run: { status, summary, target }, onCancel }: { run: Run; onCancel: () => void }) {
  const { passed, failed, total, passRate } = summary;
  const name = targetName(target);
  return (
    <Card withBorder role="group" aria-label={t('Run with {name}', { name })}>
      <Group justify="space-between">
        <Text fw={600}>{name}</Text>
        <Badge variant="light" tt="none" color={status === 'lost' ? 'red' : 'teal'} role="status">
          {apiWord(status)}
        </Badge>
      </Group>
      <Progress.Root my="sm">
        <Progress.Section value={share(passed, total)} color="teal" aria-label={t('Passed with {name}', { name })} />
        <Progress.Section value={share(failed, total)} color="red" aria-label={t('Failed with {name}', { name })} />
      </Progress.Root>
      <Group justify="space-between">
        <Text size="sm">
          {t('{passed} passed, {failed} failed of {total}: {passRate}', {
            passed: amount(passed),
            failed: amount(failed),
            total: amount(total),
            passRate: percent(passRate / 100),
          })}
        </Text>
        {status === 'running' && (
          <Button size="xs" variant="default" onClick={onCancel}>
            {t('Cancel')}
          </Button>
        )}
      </Group>
    </Card>
  );
}

const share = (part: number, total: number) => (total === 0 ? 0 : (part / total) * 100);

function Found({ result }: { result: CaseResult | undefined }) {
  if (!result) return <Text size="sm">{t('not asked yet')}</Text>;
  const { passed, durationMs, error, details } = result;
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <Badge variant="light" tt="none" color={passed ? 'teal' : 'red'}>
          {passed ? t('passed') : t('failed')}
        </Badge>
        {durationMs !== undefined && (
          <Text size="xs" c="dimmed">
            {milliseconds(durationMs)}
          </Text>
        )}
      </Group>
      <Text size="sm" lineClamp={3} style={{ overflowWrap: 'anywhere' }}>
        {error ?? details?.actual}
      </Text>
      {!passed && details?.expected && (
        <Text size="xs" c="dimmed">
          {t('expected ({strategy}): {expected}', { strategy: details.strategy ?? '', expected: details.expected })}
        </Text>
      )}
    </Stack>
  );
}
