import { Alert, Code, List, Progress, Text, ThemeIcon } from '@mantine/core';
import { IconCheck, IconClock, IconLoader2, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { FailureText } from '../../parts/failure';

type Operation = components['schemas']['OperationView'];
type StepState = components['schemas']['OperationStepState'];

const KINDS: Record<string, string> = { restart: t('Restart'), shutdown: t('Stop') };
const STATES: Record<string, string> = { running: t('goes on'), done: t('done'), failed: t('failed') };
const STEP_STATES: Record<StepState, string> = { waiting: t('waiting'), running: t('running'), done: t('done'), failed: t('failed') };
const SIGNS: Record<StepState, { icon: typeof IconCheck; color: string }> = {
  waiting: { icon: IconClock, color: 'gray' },
  running: { icon: IconLoader2, color: 'gray' },
  done: { icon: IconCheck, color: 'teal' },
  failed: { icon: IconX, color: 'red' },
};

/** How far a restart or a stop is. What it is about may be the very process that is asked, which is then away. */
export function OperationProgress({ id, onClose }: { id: string; onClose: () => void }) {
  const { data, error } = useQuery({
    queryKey: ['operations', id],
    queryFn: () => unwrap(api.GET('/api/operations/{id}', { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data?.state === 'running' || !state.data ? 1_000 : false),
  });
  const title = data ? `${KINDS[data.kind] ?? data.kind}: ${STATES[data.state] ?? data.state}` : t('Operation');
  return (
    <Alert
      role="status"
      color={data?.state === 'failed' ? 'red' : 'gray'}
      title={title}
      withCloseButton
      closeButtonLabel={t('Dismiss')}
      onClose={onClose}
    >
      {data && <Steps operation={data} />}
      {!data && error && <FailureText error={error} />}
      {data?.state === 'done' && data.steps.some((step) => step.target === 'control-plane') && (
        <Text size="sm">
          {data.kind === 'restart' ? t('This control plane starts again now.') : t('This control plane ends now.')}
        </Text>
      )}
    </Alert>
  );
}

function Steps({ operation: { steps } }: { operation: Operation }) {
  const over = steps.filter(({ state }) => state === 'done').length;
  return (
    <>
      {steps.length > 1 && <Progress value={(100 * over) / steps.length} mb="xs" aria-label={t('{over} of {length} are done', { over, length: steps.length })} />}
      <List size="sm" listStyleType="none" spacing={4}>
        {steps.map(({ target, state, message }) => {
          const { icon: Icon, color } = SIGNS[state];
          return (
            <List.Item
              key={target}
              icon={
                <ThemeIcon size={18} radius="xl" color={color} variant="light" aria-hidden>
                  <Icon size={12} />
                </ThemeIcon>
              }
            >
              <Code>{target}</Code> {STEP_STATES[state]}
              {message && `: ${message}`}
            </List.Item>
          );
        })}
      </List>
    </>
  );
}
