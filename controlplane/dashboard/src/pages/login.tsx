import { Alert, Button, Card, Center, Divider, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { ApiFailure, api, unwrap } from '../api/client';
import { sessionQuery } from '../parts/authority';
import { opensByItself } from './setup/state';

/** Why single sign-on let nobody in, by the code in the address. */
const refusals: Record<string, string> = {
  denied: t('The identity provider did not let you in.'),
  expired: t('That took too long, or began somewhere else. Try again.'),
  'no-role': t('The identity provider knows you, but nothing gives you a role here. Ask whoever runs this gateway.'),
  inactive: t('Your account here is switched off. Ask whoever runs this gateway.'),
  provider: t('The identity provider cannot be reached or believed. The log of the control plane says why.'),
};

export function LoginPage() {
  const navigate = useNavigate();
  const client = useQueryClient();
  const { next, failed } = useSearch({ from: '/login' });
  const form = useForm({ initialValues: { username: 'admin', password: '' } });
  const setup = useQuery({ queryKey: ['require-login'], queryFn: () => unwrap(api.GET('/api/settings/require-login')) });
  const session = useQuery(sessionQuery);
  const login = useMutation({
    mutationFn: (body: { username: string; password: string }) => unwrap(api.POST('/api/auth/login', { body })),
    onSuccess: async () => {
      // another person may have another role
      client.clear();
      const to = next ?? '/';
      await navigate({ to: to === '/' && (await opensByItself(client)) ? '/setup' : to });
    },
    // the form shows it
    onError: () => undefined,
  });

  const wrong = login.error instanceof ApiFailure ? login.error.message : null;
  const singleSignOn = session.data?.singleSignOn;
  return (
    <Center mih="100vh" p="md">
      <Card withBorder padding="xl" w={380} component="main">
        <form onSubmit={form.onSubmit((values) => login.mutate(values))}>
          <Stack>
            <Title order={1} size="h3">
              {t('Sign in to OmniRoute')}
            </Title>
            {setup.data?.hasPassword === false && (
              <Alert color="teal" title={t('First start')}>
                {t('The gateway printed a password where it was started. Use it here.')}
              </Alert>
            )}
            {failed && (
              <Alert color="red" role="alert">
                {refusals[failed] ?? refusals.provider}
              </Alert>
            )}
            <TextInput label={t('Username')} required autoComplete="username" {...form.getInputProps('username')} />
            <PasswordInput
              label={t('Password')}
              required
              autoFocus
              autoComplete="current-password"
              {...form.getInputProps('password')}
              error={wrong}
            />
            <Button type="submit" loading={login.isPending}>
              {t('Sign in')}
            </Button>
            {singleSignOn && (
              <>
                <Divider label={t('or')} />
                <Button component="a" href="/api/auth/oidc/login" variant="default">
                  {t('Sign in with {singleSignOn}', { singleSignOn })}
                </Button>
              </>
            )}
            <Text size="xs" c="dimmed">
              {t('Lost the password of admin? Stop the gateway and run omniroute reset-password, which makes a new one.')}
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
