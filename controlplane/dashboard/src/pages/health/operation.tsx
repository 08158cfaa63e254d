import { Alert, Code, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { FailureText } from '../../parts/failure';

const KINDS: Record<string, string> = { restart: 'Restart', shutdown: 'Stop' };
const STATES: Record<string, string> = { running: 'goes on', done: 'done', failed: 'failed' };

/** How far a restart or a stop is. What it is about may be the very process that is asked, which is then away. */
export function OperationProgress({ id, onClose }: { id: string; onClose: () => void }) {
  const { data, error } = useQuery({
    queryKey: ['operations', id],
    queryFn: () => unwrap(api.GET('/api/operations/{id}', { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data?.state === 'running' || !state.data ? 1_000 : false),
  });
  const title = data ? `${KINDS[data.kind] ?? data.kind}: ${STATES[data.state] ?? data.state}` : 'Operation';
  return (
    <Alert
      role="status"
      color={data?.state === 'failed' ? 'red' : 'gray'}
      title={title}
      withCloseButton
      closeButtonLabel="Dismiss"
      onClose={onClose}
    >
      {data?.steps.map((step) => (
        <Text size="sm" key={step.target}>
          <Code>{step.target}</Code> {step.state}
          {step.message && `: ${step.message}`}
        </Text>
      ))}
      {!data && error && <FailureText error={error} />}
      {data?.state === 'done' && data.steps.some((step) => step.target === 'control-plane') && (
        <Text size="sm">
          {data.kind === 'restart' ? 'This control plane starts again now.' : 'This control plane ends now.'}
        </Text>
      )}
    </Alert>
  );
}
