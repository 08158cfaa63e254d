import { Alert, Anchor, Button, Code, List, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { rich, t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { FailureText, showApplied } from '../../parts/failure';
import { Snippet } from '../../parts/snippet';
import type { Connection } from './groups';
import { callbackBody, left, type Returned } from './sign-in-steps';

type Provider = components['schemas']['OAuthProviderView'];
type Authorization = components['schemas']['OAuthAuthorization'];
type Device = components['schemas']['OAuthDevice'];
type SignedIn = components['schemas']['SignedInConnection'];

type Done = (connection: SignedIn, applied: string | null) => void;
type Props = {
  opened: boolean;
  /** The account that signs in again; without it, any. */
  again?: Connection;
  onClose: () => void;
  onSaved: () => void;
};

const wait = { wait: 'applied' } as const;

/** Signs in to an account at a provider, instead of pasting a key. */
export function SignIn({ opened, again, onClose, onSaved }: Props) {
  const providers = useQuery({
    queryKey: ['oauth', 'providers'],
    queryFn: () => unwrap(api.GET('/api/oauth/providers')),
    enabled: opened,
  });
  const [chosen, choose] = useState<string | null>(again?.provider ?? null);
  const configured = providers.data?.providers.filter((provider) => provider.configured) ?? [];
  const provider = configured.find(({ id }) => id === chosen);

  function dismiss() {
    choose(again?.provider ?? null);
    onClose();
  }
  const done: Done = ({ email, displayName, provider: id }, applied) => {
    showApplied(t('{email} signed in', { email: email ?? displayName ?? id }), applied);
    onSaved();
    dismiss();
  };
  return (
    <Modal opened={opened} onClose={dismiss} title={t('Sign in to an account')}>
      <Stack>
        {providers.isError && <FailureText error={providers.error} />}
        {providers.data && configured.length === 0 && <NothingConfigured providers={providers.data.providers} />}
        {configured.length > 0 && (
          <Select
            label={t('Provider')}
            placeholder={t('Whose account it is')}
            data={configured.map(({ id, name }) => ({ value: id, label: name }))}
            value={chosen}
            onChange={choose}
            disabled={again !== undefined}
            data-autofocus
          />
        )}
        {provider?.flow === 'code' && <WithCode key={provider.id} provider={provider} again={again?.id} onDone={done} />}
        {provider?.flow === 'device' && <WithDevice key={provider.id} provider={provider} again={again?.id} onDone={done} />}
      </Stack>
    </Modal>
  );
}

function NothingConfigured({ providers }: { providers: Provider[] }) {
  return (
    <Alert color="blue" title={t('No client is configured')}>
      <Text size="sm">
        {t('Signing in needs a client of your own at the provider. Register one there, and start the control plane with its id:')}
      </Text>
      <List size="sm">
        {providers
          .filter(({ flow }) => flow !== null)
          .map(({ id, name, setting }) => (
            <List.Item key={id}>
              {name}: <Code>{setting}</Code>
            </List.Item>
          ))}
      </List>
    </Alert>
  );
}

/** To the provider's page in a window of its own; what comes back arrives from `/callback`, or is pasted. */
function WithCode({ provider, again, onDone }: { provider: Provider; again: string | undefined; onDone: Done }) {
  const [begun, setBegun] = useState<Authorization | null>(null);
  const [pasted, paste] = useState('');
  const page = useRef<Window | null>(null);
  const begin = useMutation({
    mutationFn: () => {
      const redirect_uri = provider.redirectUri ? undefined : `${location.origin}/callback`;
      const query = { redirect_uri, connectionId: again };
      return unwrap(api.GET('/api/oauth/{provider}/authorize', { params: { path: { provider: provider.id }, query } }));
    },
    onSuccess: (authorization) => {
      setBegun(authorization);
      if (page.current) page.current.location.href = authorization.authUrl;
    },
    onError: () => page.current?.close(),
  });
  const exchange = useMutation({
    mutationFn: (body: components['schemas']['OAuthExchange']) =>
      settle(api.POST('/api/oauth/{provider}/exchange', { params: { path: { provider: provider.id }, query: wait }, body })),
    onSuccess: ({ data, applied }) => onDone(data.connection, applied),
  });
  const { mutate } = exchange;

  useEffect(() => {
    if (!begun) return;
    const channel = new BroadcastChannel('omniroute-oauth');
    channel.onmessage = (event: MessageEvent<Returned>) => {
      if (event.data.type !== 'omniroute-oauth' || event.data.state !== begun.state) return;
      channel.postMessage({ type: 'omniroute-oauth-taken', state: begun.state });
      mutate({ callbackUrl: event.data.callbackUrl });
    };
    return () => channel.close();
  }, [begun, mutate]);

  function open() {
    // before anything is waited for, or the browser takes it for an advertisement
    page.current = window.open('', 'omniroute-sign-in', 'popup,width=600,height=760');
    exchange.reset();
    begin.mutate();
  }
  return (
    <>
      <Text size="sm">
        {t('{name} asks in a window of its own whether this gateway may use the account. Its terms apply to what you do with it.', { name: provider.name })}
      </Text>
      <Button onClick={open} loading={begin.isPending}>
        {begun ? t('Open the page again') : t('Sign in at {name}', { name: provider.name })}
      </Button>
      {begin.isError && <FailureText error={begin.error} />}
      {begun && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            exchange.mutate(callbackBody(pasted, begun.state));
          }}
        >
          <Stack gap="xs">
            <Text size="sm">
              {rich('No window? {link}.', {
                link: (
                  <Anchor href={begun.authUrl} target="_blank" rel="noreferrer">
                    {t('Open the page of {name}', { name: provider.name })}
                  </Anchor>
                ),
              })}
            </Text>
            <TextInput
              label={t('Code or address')}
              description={t('If the page does not come back by itself: what it shows, or the address it ended at.')}
              value={pasted}
              onChange={(event) => paste(event.currentTarget.value)}
              autoComplete="off"
            />
            <Button type="submit" variant="default" disabled={pasted.trim() === ''} loading={exchange.isPending}>
              {t('Continue')}
            </Button>
          </Stack>
        </form>
      )}
      {exchange.isError && (
        <Alert color="red" role="alert" title={t('Nobody was signed in')}>
          <FailureText error={exchange.error} />
        </Alert>
      )}
    </>
  );
}

/** A code that is typed into the provider's page, while this one asks whether that is done. */
function WithDevice({ provider, again, onDone }: { provider: Provider; again: string | undefined; onDone: Done }) {
  const begin = useMutation({
    mutationFn: () =>
      unwrap(
        api.GET('/api/oauth/{provider}/device-code', {
          params: { path: { provider: provider.id }, query: { connectionId: again } },
        }),
      ),
  });
  return (
    <>
      <Text size="sm">
        {t('{name} shows a page where a code is typed in. Its terms apply to what you do with the account.', { name: provider.name })}
      </Text>
      <Button onClick={() => begin.mutate()} loading={begin.isPending}>
        {begin.data ? t('Get another code') : t('Get a code')}
      </Button>
      {begin.isError && <FailureText error={begin.error} />}
      {begin.data && <Waiting key={begin.data.flowId} provider={provider} device={begin.data} onDone={onDone} />}
    </>
  );
}

function Waiting({ provider, device, onDone }: { provider: Provider; device: Device; onDone: Done }) {
  const ends = Date.parse(device.expiresAt);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const clock = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(clock);
  }, []);
  const poll = useQuery({
    queryKey: ['oauth', 'poll', device.flowId],
    queryFn: () =>
      settle(
        api.POST('/api/oauth/{provider}/poll', {
          params: { path: { provider: provider.id }, query: wait },
          body: { flowId: device.flowId },
        }),
      ),
    refetchInterval: ({ state: { data } }) =>
      data && !data.data.pending ? false : (data?.data.retryAfter ?? device.interval) * 1000,
    gcTime: 0,
    retry: false,
  });
  const done = useRef(false);
  const answer = poll.data?.data;
  useEffect(() => {
    if (!answer?.connection || done.current) return;
    done.current = true;
    onDone(answer.connection, poll.data?.applied ?? null);
  });
  if (answer && !answer.pending && !answer.success) {
    return (
      <Alert color="red" role="alert" title={t('Nobody was signed in')}>
        {answer.errorDescription ?? answer.error}
      </Alert>
    );
  }
  return (
    <Stack gap="xs">
      <Text size="sm">
        {rich('Type this code in at {anchor}:', { anchor: <Anchor href={device.verification_uri_complete ?? device.verification_uri} target="_blank" rel="noreferrer">
          {device.verification_uri}
        </Anchor> })}
      </Text>
      <Snippet text={device.user_code} label={t('Code')} />
      <Text size="sm" c="dimmed" role="timer">
        {left(ends - now)}
      </Text>
      {poll.isError && <FailureText error={poll.error} />}
    </Stack>
  );
}
