import { Autocomplete, Button, Card, Select, SimpleGrid, Stack } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { ApiFailure, api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { callableModelsQuery } from '../../parts/callable-models';
import { showFailure } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';

type Props = { suites: components['schemas']['EvalSuite'][]; onStarted: (runs: string[]) => void };

const target = (model: string) => (model.trim() ? { type: 'model', id: model.trim() } : undefined);

export function StartRun({ suites, onStarted }: Props) {
  const client = useQueryClient();
  const models = useQuery(callableModelsQuery);
  const form = useForm({
    initialValues: { suiteId: '', target: '', compareTarget: '', judge: '' },
    validate: { suiteId: isNotEmpty(t('Choose what to ask')) },
  });
  const start = useMutation({
    mutationFn: ({ suiteId, judge, ...asked }: typeof form.values) =>
      unwrap(
        api.POST('/api/evals', {
          params: { query: { async: true } },
          body: { suiteId, target: target(asked.target), compareTarget: target(asked.compareTarget), judge: judge.trim() || undefined },
        }),
      ),
    onSuccess: (started) => {
      onStarted([started.runId, ...('compareRunId' in started && started.compareRunId ? [started.compareRunId] : [])]);
      return client.invalidateQueries({ queryKey: ['evals'] });
    },
    onError: (error, values) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], Object.keys(values));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) showFailure(error);
    },
  });
  return (
    <Card withBorder component="section" aria-label={t('New run')}>
      <form onSubmit={form.onSubmit((values) => start.mutate(values))}>
        <Stack>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select
              label={t('Suite')}
              data={suites.map(({ id, name, caseCount }) => ({ value: id, label: `${name} (${caseCount})` }))}
              allowDeselect={false}
              {...form.getInputProps('suiteId')}
            />
            <Autocomplete
              label={t('Model')}
              placeholder={t('as each case says')}
              data={models.data ?? []}
              limit={50}
              {...form.getInputProps('target')}
            />
            <Autocomplete
              label={t('Compare with')}
              placeholder={t('optional')}
              data={models.data ?? []}
              limit={50}
              {...form.getInputProps('compareTarget')}
            />
            <Autocomplete
              label={t('Judge')}
              placeholder={t('only for cases that a model grades')}
              data={models.data ?? []}
              limit={50}
              {...form.getInputProps('judge')}
            />
          </SimpleGrid>
          <Button type="submit" w="fit-content" leftSection={<IconPlayerPlay size={16} />} loading={start.isPending}>
            {t('Run')}
          </Button>
        </Stack>
      </form>
    </Card>
  );
}
