import { ActionIcon, Badge, Button, Card, Code, Group, Table, Text, Title, Tooltip } from '@mantine/core';
import { IconCopy, IconPencil } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { AppliedSwitch } from '../../parts/applied-switch';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { amount, percent, span } from '../../parts/numbers';
import type { Edited } from './editor';
import { type Health, outagesOf } from './health';
import { modelOf, shareOf, weightOf } from './member';
import { strategyLabel } from './strategies';

type Combo = components['schemas']['ComboView'];
type Result = components['schemas']['ComboTestResult'];
type Counts = components['schemas']['ComboModelMetrics'];

const wait = { query: { wait: 'applied' } } as const;

type Props = { combo: Combo; health: Health | undefined; onEdit: (edited: Edited) => void; onChanged: () => Promise<void> };

/** One combo: its members in their order, how they do, and what they say when they are asked now. */
export function ComboCard({ combo, health, onEdit, onChanged }: Props) {
  const { id, name, models, strategy, config, isActive } = combo;
  const remove = useMutation({
    mutationFn: () => settle(api.DELETE('/api/combos/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) =>
      showApplied(t('Combo deleted'), applied, {
        act: () => settle(api.POST('/api/combos', { params: wait, body: { name, models, strategy, config, isActive } })),
        done: t('{name} is back', { name }),
      }),
    onSettled: onChanged,
  });
  const test = useMutation({ mutationFn: () => unwrap(api.POST('/api/combos/test', { body: { comboName: name } })) });
  const counts = health?.metrics[name];
  return (
    <Card withBorder component="section" aria-label={name}>
      <Group justify="space-between" mb="xs">
        <Group gap="xs">
          <Title order={2} size="h4">
            {name}
          </Title>
          <Badge variant="light" tt="none">
            {strategyLabel(strategy)}
          </Badge>
        </Group>
        <Group gap="xs">
          <AppliedSwitch
            label={t('{name} enabled', { name })}
            checked={isActive}
            change={(next) => settle(api.PATCH('/api/combos/{id}', { params: { path: { id }, ...wait }, body: { isActive: next } }))}
            done={(next) => (next ? t('Combo enabled') : t('Combo disabled'))}
            onChanged={onChanged}
          />
          <Button size="compact-sm" variant="default" loading={test.isPending} onClick={() => test.mutate()} aria-label={t('Test {name}', { name })}>
            {t('Test')}
          </Button>
          <Tooltip label={t('Edit')}>
            <ActionIcon variant="subtle" aria-label={t('Edit {name}', { name })} onClick={() => onEdit(combo)}>
              <IconPencil size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={t('Duplicate')}>
            <ActionIcon variant="subtle" aria-label={t('Duplicate {name}', { name })} onClick={() => onEdit(copyOf(combo))}>
              <IconCopy size={16} />
            </ActionIcon>
          </Tooltip>
          <DeleteButton what={name} onClick={() => confirmDelete(name, t('Requests that name it are refused from now on.'), () => remove.mutate())} />
        </Group>
      </Group>
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing="xs" aria-label={t('Members of {name}', { name })}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('Member')}</Table.Th>
              {strategy === 'weighted' && <Table.Th ta="right">{t('Weight')}</Table.Th>}
              <Table.Th ta="right">{t('Asked')}</Table.Th>
              <Table.Th ta="right">{t('Answered')}</Table.Th>
              <Table.Th ta="right">{t('Took')}</Table.Th>
              <Table.Th>{t('Now')}</Table.Th>
              {test.data && <Table.Th>{t('Test')}</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {models.map((member, position) => (
              <MemberRow
                key={`${position} ${modelOf(member)}`}
                model={modelOf(member)}
                weight={strategy === 'weighted' ? { own: weightOf(member), all: models.map((each) => ({ weight: weightOf(each) })) } : null}
                counts={counts?.byModel[modelOf(member)]}
                health={health}
                tested={test.data ? test.data.results[position] : null}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed" mt="xs" role={test.data ? 'status' : undefined}>
        {counts
          ? t('Requests: {totalRequests}, {successRate} answered, {fallbackRate} by another than the first.', {
              totalRequests: amount(counts.totalRequests),
              successRate: percent(counts.successRate / 100),
              fallbackRate: percent(counts.fallbackRate / 100),
            })
          : t('No request yet.')}
        {test.data && ` ${verdict(test.data.resolvedBy ?? null)}`}
      </Text>
    </Card>
  );
}

const copyOf = ({ name, models, strategy, config }: Combo): Edited => ({ name: `${name}-copy`, models, strategy, config });

const verdict = (resolvedBy: string | null) =>
  resolvedBy === null ? t('In the test no member answered.') : t('In the test {model} answered.', { model: resolvedBy });

type RowProps = {
  model: string;
  weight: { own: number; all: { weight: number }[] } | null;
  counts: Counts | undefined;
  health: Health | undefined;
  /** null while nothing was tested. */
  tested: Result | null | undefined;
};

function MemberRow({ model, weight, counts, health, tested }: RowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <Code>{model}</Code>
      </Table.Td>
      {weight && (
        <Table.Td ta="right">
          {amount(weight.own)} ({percent(shareOf(weight.own, weight.all))})
        </Table.Td>
      )}
      <Table.Td ta="right">{amount(counts?.requests ?? 0)}</Table.Td>
      <Table.Td ta="right">{counts ? percent(counts.successRate / 100) : '–'}</Table.Td>
      <Table.Td ta="right">{counts && counts.successes > 0 ? span(counts.avgLatencyMs) : '–'}</Table.Td>
      <Table.Td>
        <Standing model={model} counts={counts} health={health} />
      </Table.Td>
      {tested !== null && <Table.Td>{tested && <Tested result={tested} />}</Table.Td>}
    </Table.Tr>
  );
}

/** What rests comes first: it says what the next request will meet. */
function Standing({ model, counts, health }: Pick<RowProps, 'model' | 'counts' | 'health'>) {
  const outages = health ? outagesOf(model, health) : [];
  const longest = outages.toSorted((one, other) => other.remainingMs - one.remainingMs)[0];
  if (longest) {
    const whole = longest.connectionId == null;
    return (
      <Badge variant="light" color={whole ? 'red' : 'gray'} tt="none" title={longest.reason}>
        {whole
          ? t('left alone for {remainingMs}', { remainingMs: span(longest.remainingMs) })
          : t('an account rests for {remainingMs}', { remainingMs: span(longest.remainingMs) })}
      </Badge>
    );
  }
  if (!counts)
    return (
      <Badge variant="default" tt="none">
        {t('not asked yet')}
      </Badge>
    );
  const ok = counts.lastStatus === 'ok';
  return (
    <Badge variant="light" color={ok ? 'teal' : 'red'} tt="none">
      {ok ? t('answered last') : t('failed last')}
    </Badge>
  );
}

function Tested({ result: { status, statusCode, error, latencyMs } }: { result: Result }) {
  const ok = status === 'ok';
  const said = ok ? span(latencyMs) : [statusCode && `HTTP ${statusCode}`, error].filter(Boolean).join(': ');
  return (
    <Text size="sm" c={ok ? undefined : 'var(--mantine-color-error)'}>
      {ok ? t('answers') : t('fails')}
      {said && `, ${said}`}
    </Text>
  );
}
