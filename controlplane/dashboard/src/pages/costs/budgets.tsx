import { Badge, Button, NumberInput, Progress, Stack, Table, Text, Title, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Needs } from '../../parts/authority';
import { Dialog } from '../../parts/dialog';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { Many } from '../../parts/many';
import { dollars } from '../../parts/numbers';
import { Empty, Loaded } from '../../parts/states';

type Budget = components['schemas']['BudgetStatus'];

async function readBudgets(): Promise<Budget[]> {
  const answer = await unwrap(api.GET('/api/usage/budget', { params: { query: { all: true } } }));
  return 'budgets' in answer ? answer.budgets : [answer];
}

export function Budgets() {
  const [changed, setChanged] = useState<Budget | null>(null);
  const query = useQuery({ queryKey: ['budgets'], queryFn: readBudgets, refetchInterval: 30_000 });
  return (
    <section aria-label={t('Budgets')}>
      <Title order={2} size="h4">
        {t('Budgets')}
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        {t('A key that has spent its budget is refused until the day, week or month is over.')}
      </Text>
      <Needs role="admin">
        <Loaded
          query={query}
          empty={(budgets) => budgets.length === 0 && <Empty title={t('No key yet')} hint={t('Make an API key first; here it gets a budget.')} />}
        >
          {(budgets) => (
            <Many items={budgets.toReversed()} wordsOf={({ apiKeyName }) => apiKeyName} label={t('Find a key')}>
              {(shown) => <Statuses budgets={shown} onChange={setChanged} />}
            </Many>
          )}
        </Loaded>
      </Needs>
      {changed && <BudgetDialog status={changed} onClose={() => setChanged(null)} />}
    </section>
  );
}

function Statuses({ budgets, onChange }: { budgets: Budget[]; onChange: (status: Budget) => void }) {
  return (
    <Table.ScrollContainer minWidth={820}>
      <Table verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Key')}</Table.Th>
            <Table.Th>{t('Today')}</Table.Th>
            <Table.Th>{t('This week')}</Table.Th>
            <Table.Th>{t('This month')}</Table.Th>
            <Table.Th>{t('State')}</Table.Th>
            <Table.Th>
              <VisuallyHidden>{t('Actions')}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {budgets.map((status) => (
            <Row key={status.apiKeyId} status={status} onChange={() => onChange(status)} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ status, onChange }: { status: Budget; onChange: () => void }) {
  const { apiKeyName: name, budget, budgetCheck: check } = status;
  return (
    <Table.Tr>
      <Table.Td>{name}</Table.Td>
      <Spent label={t('{name} today', { name })} spent={status.dailyTotal} limit={budget.dailyLimitUsd} />
      <Spent label={t('{name} this week', { name })} spent={status.weeklyTotal} limit={budget.weeklyLimitUsd} />
      <Spent label={t('{name} this month', { name })} spent={status.monthlyTotal} limit={budget.monthlyLimitUsd} />
      <Table.Td>
        {check.allowed ? (
          <Badge variant="light" color={check.warningReached ? 'red' : 'teal'} tt="none">
            {check.warningReached ? t('nearly spent') : t('may spend')}
          </Badge>
        ) : (
          <Text size="sm" c="var(--mantine-color-error)">
            {check.reason}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right">
        <Button size="xs" variant="light" onClick={onChange} aria-label={t('Budget of {name}', { name })}>
          {t('Set')}
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}

/** The API says 0 where there is no limit. */
function Spent({ label, spent, limit }: { label: string; spent: number; limit: number }) {
  return (
    <Table.Td>
      <Text size="sm">
        {dollars(spent)} {limit > 0 ? t('of {limit}', { limit: dollars(limit) }) : t('spent')}
      </Text>
      {limit > 0 && (
        <Progress
          value={Math.min(100, (spent / limit) * 100)}
          color={spent >= limit ? 'red' : 'teal'}
          aria-label={t('Spent by {label}', { label })}
          mt={4}
        />
      )}
    </Table.Td>
  );
}

function BudgetDialog({ status: { apiKeyId, apiKeyName, budget }, onClose }: { status: Budget; onClose: () => void }) {
  const client = useQueryClient();
  const shown = (limit: number): number | string => (limit > 0 ? limit : '');
  const form = useForm({
    initialValues: {
      dailyLimitUsd: shown(budget.dailyLimitUsd),
      weeklyLimitUsd: shown(budget.weeklyLimitUsd),
      monthlyLimitUsd: shown(budget.monthlyLimitUsd),
      warningThreshold: Math.round(budget.warningThreshold * 100) as number | string,
    },
  });
  const save = useMutation({
    mutationFn: ({ warningThreshold, ...limits }: typeof form.values) => {
      const wait = { wait: 'applied' };
      if (Object.values(limits).every((limit) => limit === '')) {
        return settle<unknown>(api.DELETE('/api/usage/budget', { params: { query: { apiKeyId, ...wait } } }));
      }
      const amount = (limit: number | string) => (limit === '' ? null : Number(limit));
      const body = {
        apiKeyId,
        dailyLimitUsd: amount(limits.dailyLimitUsd),
        weeklyLimitUsd: amount(limits.weeklyLimitUsd),
        monthlyLimitUsd: amount(limits.monthlyLimitUsd),
        ...(warningThreshold !== '' && { warningThreshold: Number(warningThreshold) / 100 }),
      };
      return settle<unknown>(api.POST('/api/usage/budget', { params: { query: wait }, body }));
    },
    onSuccess: ({ applied }) => {
      showApplied(t('Budget of {apiKeyName} saved', { apiKeyName }), applied);
      onClose();
      return client.invalidateQueries({ queryKey: ['budgets'] });
    },
    onError: (error) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], Object.keys(form.values));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) showFailure(error);
    },
  });
  return (
    <Dialog onClose={onClose} title={t('Budget of {apiKeyName}', { apiKeyName })}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <NumberInput label={t('A day, USD')} description={t('Empty is no limit.')} data-autofocus {...form.getInputProps('dailyLimitUsd')} />
          <NumberInput label={t('A week, USD')} {...form.getInputProps('weeklyLimitUsd')} />
          <NumberInput label={t('A month, USD')} {...form.getInputProps('monthlyLimitUsd')} />
          <NumberInput label={t('Warn from, %')} min={0} max={100} {...form.getInputProps('warningThreshold')} />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
