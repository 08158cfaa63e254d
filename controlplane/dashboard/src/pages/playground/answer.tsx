import { Alert, Badge, Card, Code, Group, Stack, Text, Title } from '@mantine/core';
import { rich, t } from '../../i18n';
import { FailureText } from '../../parts/failure';
import { amount, milliseconds } from '../../parts/numbers';
import type { Answer } from './ask';

const words: Record<Answer['state'], string> = {
  waiting: t('waiting'),
  arriving: t('arriving'),
  done: t('complete'),
  stopped: t('stopped'),
  failed: t('failed'),
};

/** The text stays text, whatever a model writes: nothing of it is rendered. */
export function AnswerCard({ model, answer }: { model: string; answer: Answer }) {
  const { state, text, requestId, error } = answer;
  const running = state === 'waiting' || state === 'arriving';
  return (
    <Card withBorder component="section" aria-label={t('Answer of {model}', { model })} aria-busy={running}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Title order={2} size="h4" style={{ overflowWrap: 'anywhere' }}>
            {model}
          </Title>
          <Badge variant="light" color={state === 'failed' ? 'red' : 'teal'} tt="none" role="status">
            {words[state]}
          </Badge>
        </Group>
        {text && <Text style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</Text>}
        {state === 'failed' && (
          <Alert color="red" title={text ? t('The answer broke off') : t('The request was refused')}>
            <FailureText error={error} />
          </Alert>
        )}
        <Group gap="lg">
          <Figure label={t('First text')} value={time(answer.firstTextMs)} />
          <Figure label={t('Total')} value={time(answer.totalMs)} />
          <Figure label={t('Tokens in')} value={count(answer.tokensIn)} />
          <Figure label={t('Tokens out')} value={count(answer.tokensOut)} />
        </Group>
        {requestId && (
          <Text size="xs" c="dimmed">
            {rich('Request id {code}', { code: <Code>{requestId}</Code> })}
          </Text>
        )}
      </Stack>
    </Card>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={600}>{value}</Text>
    </div>
  );
}

const time = (value: number | undefined) => (value === undefined ? '–' : milliseconds(value));
const count = (value: number | undefined) => (value === undefined ? '–' : amount(value));
