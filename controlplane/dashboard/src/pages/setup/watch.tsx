import { Alert, Anchor, Button, Code, Group, Loader, Stack, Text } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { ClientSnippets } from '../../parts/client-snippets';
import { SOME_KEY } from '../../parts/clients';
import { FailureText } from '../../parts/failure';
import { amount, dollars, milliseconds } from '../../parts/numbers';
import { Loaded } from '../../parts/states';
import { StatusBadge } from '../../parts/status';
import { type Answer, ask } from '../playground/ask';
import { Attempts } from '../requests/attempts';
import { Decision } from '../requests/decision';
import { StepHeading } from './heading';
import type { MadeKey } from './key';

type Request = components['schemas']['RequestView'];

const EVERY_MS = 1_000;

const isAnswered = (request: Request | null | undefined) => request != null && request.status < 400;

/** The newest request of a key, or without one, of anybody. */
async function newest(key: MadeKey | null): Promise<Request | null> {
  const query = { limit: 1, format: 'json', ...(key && { apiKey: key.id }) };
  const [entry] = await unwrap(api.GET('/api/usage/request-logs', { params: { query } }));
  return entry && typeof entry !== 'string' ? entry : null;
}

/** The first request, from the moment it is accounted: what it took, and why it went where it went. */
export function WatchStep({ model, made }: { model: string; made: MadeKey | null }) {
  // without a key of this visit, whatever was there before is not what is waited for
  const before = useQuery({
    queryKey: ['setup', 'before', made?.id],
    queryFn: async () => (made ? null : ((await newest(null))?.id ?? null)),
    staleTime: Infinity,
    gcTime: 0,
  });
  const watched = useQuery({
    queryKey: ['setup', 'arrived', made?.id, before.data],
    enabled: before.isSuccess,
    queryFn: async () => {
      const request = await newest(made);
      return request && request.id !== before.data ? request : null;
    },
    // a tab that nobody looks at does not ask
    refetchInterval: ({ state }) => (isAnswered(state.data) ? false : EVERY_MS),
  });
  const request = watched.data;
  return (
    <Stack>
      <StepHeading title={t('The first request')}>{t('Send one with a snippet below: it appears here as soon as it is accounted.')}</StepHeading>
      {!isAnswered(request) && (
        <>
          <ClientSnippets origin={window.location.origin} apiKey={made?.key ?? SOME_KEY} model={model} />
          {made && <SendFromHere apiKey={made.key} model={model} />}
        </>
      )}
      {watched.isError && (
        <Alert color="red" title={t('The log cannot be read')}>
          <FailureText error={watched.error} />
        </Alert>
      )}
      <div role="status">
        {!isAnswered(request) && (
          <Group gap="xs">
            <Loader size="xs" aria-hidden />
            <Text size="sm">
              {made ? t('Waiting for a request with the key {name}.', { name: made.name }) : t('Waiting for the next request, with any key.')}
            </Text>
          </Group>
        )}
        {request && <Arrived request={request} />}
      </div>
      {request && <Why id={request.id} />}
    </Stack>
  );
}

/** As a client would, with the key alone. */
function SendFromHere({ apiKey, model }: { apiKey: string; model: string }) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const send = useMutation({
    mutationFn: () => ask({ dialect: 'openai', key: apiKey, model, system: '', message: 'Hello' }, new AbortController().signal, setAnswer),
  });
  return (
    <Group gap="sm">
      <Button variant="light" leftSection={<IconSend size={16} />} loading={send.isPending} onClick={() => send.mutate()}>
        {t('Send one from here')}
      </Button>
      {answer?.state === 'failed' && <FailureText error={answer.error} />}
    </Group>
  );
}

function Arrived({ request }: { request: Request }) {
  const { status, error, tokens, duration, requestedModel, account, cost } = request;
  return (
    <Alert
      color={isAnswered(request) ? 'teal' : 'red'}
      title={isAnswered(request) ? t('Your first request has arrived') : t('A request has arrived, and was not answered')}
    >
      <Stack gap={4} align="flex-start">
        <Group gap="xs">
          <StatusBadge status={status} error={error} />
          <Code>{requestedModel || '–'}</Code>
          <Text size="sm">
            {account
              ? t('answered by {account} in {time}', { account, time: milliseconds(duration) })
              : t('{error} in {time}', { error: error ?? t('answered by nobody'), time: milliseconds(duration) })}
          </Text>
        </Group>
        <Text size="sm">
          {t('{in} tokens in, {out} out, {cost}', {
            in: amount(tokens.in),
            out: amount(tokens.out),
            cost: cost == null ? t('at a price nobody knows') : dollars(cost),
          })}
        </Text>
        <Anchor size="sm" renderRoot={(props) => <Link {...props} to="/requests/$id" params={{ id: request.id }} />}>
          {t('All about this request')}
        </Anchor>
      </Stack>
    </Alert>
  );
}

function Why({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ['explain', id],
    queryFn: () => unwrap(api.GET('/api/explain/{request_id}', { params: { path: { request_id: id } } })),
    staleTime: Infinity,
  });
  return (
    <Loaded query={query}>
      {(explanation) => (
        <Stack>
          <Decision explanation={explanation} />
          <Attempts explanation={explanation} />
        </Stack>
      )}
    </Loaded>
  );
}
