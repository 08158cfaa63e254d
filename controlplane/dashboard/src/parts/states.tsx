import { Alert, Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { t } from '../i18n';
import { FailureText } from './failure';
import { isSignedOut } from './signed-out';

/** Loading, failure, emptiness or the data: every list of the dashboard goes through here. */
export function Loaded<T>({
  query,
  empty,
  children,
}: {
  query: UseQueryResult<T>;
  empty?: (data: T) => ReactNode;
  children: (data: T) => ReactNode;
}) {
  const { data } = query;
  if (query.isPending) {
    return (
      <Center p="xl">
        <Loader aria-label={t('Loading')} />
      </Center>
    );
  }
  if (query.isError && data === undefined) {
    return (
      <Alert color="red" title={t('This could not be loaded')}>
        <Stack gap="xs" align="flex-start">
          <FailureText error={query.error} />
          <Button size="xs" variant="light" onClick={() => void query.refetch()}>
            {t('Try again')}
          </Button>
        </Stack>
      </Alert>
    );
  }
  // what is there already stays, with whatever is being typed into it
  return (
    <>
      {query.isError && !isSignedOut(query.error) && (
        <Alert color="red" mb="md" title={t('This could not be loaded again, and may be old')}>
          <FailureText error={query.error} />
        </Alert>
      )}
      {empty?.(data as T) || children(data as T)}
    </>
  );
}

/** A page or list with nothing in it yet says what to do next. */
export function Empty({ title, hint, action, order = 2 }: { title: string; hint: string; action?: ReactNode; order?: 1 | 2 }) {
  return (
    <Center p="xl">
      <Stack align="center" gap="xs" maw={460}>
        <Title order={order} size="h4">
          {title}
        </Title>
        <Text c="dimmed" ta="center">
          {hint}
        </Text>
        {action}
      </Stack>
    </Center>
  );
}

export function PageHeader({ title, hint, action }: { title: string; hint: string; action?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-start" mb="lg">
      <div>
        <Title order={1} size="h2">
          {title}
        </Title>
        <Text c="dimmed">{hint}</Text>
      </div>
      {action}
    </Group>
  );
}

/** Instead of a page that could not be begun, or that broke. */
export function Broken({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  function again() {
    reset();
    void router.invalidate();
  }
  return (
    <Center p="xl">
      <Stack gap="sm" maw={460}>
        <Title order={1} size="h3">
          {t('This page could not be shown')}
        </Title>
        <Alert color="red">
          <Stack gap="xs" align="flex-start">
            <FailureText error={error} />
            <Button size="xs" variant="light" onClick={again}>
              {t('Try again')}
            </Button>
          </Stack>
        </Alert>
      </Stack>
    </Center>
  );
}

/** Stands alone: no frame is around it. */
export function NotFound() {
  return (
    <main>
      <Empty
        order={1}
        title={t('There is no such page')}
        hint={t('The address may be from an older version.')}
        action={
          <Button component={Link} to="/">
            {t('To the overview')}
          </Button>
        }
      />
    </main>
  );
}
