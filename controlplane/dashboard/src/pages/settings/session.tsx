import { Button, Group, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { sessionQuery } from '../../parts/authority';
import { confirmAct } from '../../parts/confirm';
import { when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { useSignOut } from '../../parts/sign-out';
import { Loaded } from '../../parts/states';

/** Who is signed in here, until when, and an end to it here or everywhere. Every role may do that. */
export function SessionSettings() {
  const signOut = useSignOut();
  const query = useQuery(sessionQuery);
  const end = useMutation({ mutationFn: (all: boolean) => signOut(all) });
  const endAll = () =>
    confirmAct({
      title: t('Sign out everywhere?'),
      consequence: t('Every session of this account ends, on every machine and in every browser, this one too.'),
      confirm: t('Sign out everywhere'),
      cancel: t('Leave it'),
      onConfirm: () => end.mutate(true),
    });
  return (
    <Section title={t('Your session')} hint={t('Who is signed in here, and for how long.')}>
      <Loaded query={query}>
        {({ account, expiresAt }) =>
          account ? (
            <>
              <Text size="sm" mb="md">
                {expiresAt
                  ? t('Signed in as {username} with the role {role}, until {moment}.', { ...account, moment: when(expiresAt) })
                  : t('Signed in as {username} with the role {role}.', account)}
              </Text>
              <Group gap="xs">
                <Button variant="default" loading={end.isPending && !end.variables} onClick={() => end.mutate(false)}>
                  {t('Sign out here')}
                </Button>
                <Button variant="light" color="red" loading={end.isPending && end.variables} onClick={endAll}>
                  {t('Sign out everywhere')}
                </Button>
              </Group>
            </>
          ) : (
            <Text size="sm">{t('Nobody has to sign in here: login is switched off.')}</Text>
          )
        }
      </Loaded>
    </Section>
  );
}
