import { Anchor, Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ApiFailure, api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { t } from '../i18n';
import { sessionQuery } from './authority';
import { sessionBegan, useSessionEnded } from './signed-out';

/** Above every other dialog, which stays open below it. */
const ABOVE = 400;
/** A dialog below would close on Escape, and take with it what was typed there. */
const keepsBelow = { 'data-mantine-stop-propagation': true };

/** Asks for the password again over the page on which the session ended. */
export function SignInAgain({ session }: { session: components['schemas']['StatusView'] }) {
  const ended = useSessionEnded();
  return ended ? <Question session={session} /> : null;
}

function Question({ session: { account, singleSignOn } }: { session: components['schemas']['StatusView'] }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({ initialValues: { password: '' } });
  const login = useMutation({
    mutationFn: ({ password }: { password: string }) =>
      unwrap(api.POST('/api/auth/login', { body: { password, ...(account && { username: account.username }) } })),
    onSuccess: goOn,
    // the field says it
    onError: () => undefined,
  });
  const look = useMutation({
    mutationFn: async () => {
      const status = await unwrap(api.GET('/api/auth/status'));
      if (!status.authenticated) throw new Error(t('Nobody is signed in yet.'));
    },
    onSuccess: goOn,
    onError: () => undefined,
  });
  function goOn() {
    sessionBegan();
    void client.invalidateQueries(sessionQuery);
    return client.invalidateQueries();
  }
  function leave() {
    sessionBegan();
    client.clear();
    void navigate({ to: '/login', search: {} });
  }
  const wrong = login.error instanceof ApiFailure ? login.error.message : null;
  return (
    <Modal
      opened
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      zIndex={ABOVE}
      title={t('Your session has ended')}
    >
      <form onSubmit={form.onSubmit((values) => login.mutate(values))}>
        <Stack>
          <Text size="sm">{t('Sign in again as {username}: what you were doing is still there.', { username: account?.username ?? 'admin' })}</Text>
          <PasswordInput
            label={t('Password')}
            data-autofocus
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('Show the password') }}
            {...keepsBelow}
            {...form.getInputProps('password')}
            error={wrong}
          />
          {singleSignOn && (
            <Text size="sm">
              <Anchor href="/api/auth/oidc/login" target="_blank" {...keepsBelow}>
                {t('Sign in with {singleSignOn}', { singleSignOn })}
              </Anchor>{' '}
              <Button variant="subtle" size="compact-sm" loading={look.isPending} onClick={() => look.mutate()} {...keepsBelow}>
                {t('I am signed in again')}
              </Button>
              {look.error && String(look.error.message)}
            </Text>
          )}
          <Group justify="space-between">
            <Button variant="default" onClick={leave} {...keepsBelow}>
              {t('Leave the page')}
            </Button>
            <Button type="submit" loading={login.isPending} {...keepsBelow}>
              {t('Sign in')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
