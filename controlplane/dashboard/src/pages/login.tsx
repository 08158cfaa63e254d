import { Alert, Button, Card, Center, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ApiFailure, api, unwrap } from '../api/client';

export function LoginPage() {
  const navigate = useNavigate();
  const { next } = useSearch({ from: '/login' });
  const form = useForm({ initialValues: { password: '' } });
  const setup = useQuery({ queryKey: ['require-login'], queryFn: () => unwrap(api.GET('/api/settings/require-login')) });
  const login = useMutation({
    mutationFn: (password: string) => unwrap(api.POST('/api/auth/login', { body: { password } })),
    onSuccess: () => navigate({ to: next ?? '/' }),
    // the form shows it
    onError: () => undefined,
  });

  const wrong = login.error instanceof ApiFailure ? login.error.message : null;
  return (
    <Center mih="100vh" p="md">
      <Card withBorder padding="xl" w={380} component="main">
        <form onSubmit={form.onSubmit(({ password }) => login.mutate(password))}>
          <Stack>
            <Title order={1} size="h3">
              Sign in to OmniRoute
            </Title>
            {setup.data?.hasPassword === false && (
              <Alert color="teal" title="First start">
                The gateway printed a password where it was started. Use it here.
              </Alert>
            )}
            <PasswordInput
              label="Password"
              required
              autoFocus
              autoComplete="current-password"
              {...form.getInputProps('password')}
              error={wrong}
            />
            <Button type="submit" loading={login.isPending}>
              Sign in
            </Button>
            <Text size="xs" c="dimmed">
              Lost it? Stop the gateway and run omniroute reset-password, which makes a new one.
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
