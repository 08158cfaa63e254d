import {
  ActionIcon,
  AppShell,
  Burger,
  Button,
  Group,
  Kbd,
  NavLink,
  ScrollArea,
  Text,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconLogout, IconMoon, IconSearch, IconSun } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouteContext, useRouterState } from '@tanstack/react-router';
import { Fragment, Suspense, lazy } from 'react';
import { t } from './i18n';
import { Outages } from './frame/outages';
import { groups } from './navigation';
import { sessionQuery } from './parts/authority';
import { SignInAgain } from './parts/sign-in-again';
import { useSignOut } from './parts/sign-out';

/** As it is written on the reader's keyboard. */
const MODIFIER = navigator.userAgent.includes('Mac') ? '⌘' : 'Ctrl';

// few open it, and it brings a library
const Palette = lazy(() => import('./palette'));

/** What every page sits in: header, navigation, and the way out. */
export function Frame() {
  const [opened, { toggle, close }] = useDisclosure();
  const [searching, palette] = useDisclosure();
  // in fields as well: no field here has a use of its own for these keys
  useHotkeys([['mod+K', palette.toggle]], []);
  const signOut = useSignOut();
  // known before any page is drawn: until then everybody would seem to be an owner
  const { session } = useRouteContext({ from: '/frame' });
  const account = useQuery({ ...sessionQuery, initialData: session }).data.account;
  const path = useRouterState({ select: (state) => state.location.pathname });

  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="lg">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          <Group gap="sm">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('Menu')} />
            <img src="/dashboard/favicon.svg" width={26} height={26} alt="" />
            <Text fw={700}>{t('OmniRoute')}</Text>
          </Group>
          <Group gap="xs">
            {account && (
              <Text size="sm" c="dimmed" visibleFrom="sm">
                {account.username}, {account.role}
              </Text>
            )}
            <Button
              variant="default"
              size="xs"
              visibleFrom="sm"
              leftSection={<IconSearch size={14} />}
              rightSection={<Kbd size="xs">{MODIFIER} K</Kbd>}
              aria-keyshortcuts="Control+K Meta+K"
              aria-label={t('Go to')}
              onClick={palette.open}
            >
              {t('Go to…')}
            </Button>
            <ActionIcon variant="subtle" color="gray" hiddenFrom="sm" onClick={palette.open} aria-label={t('Go to')}>
              <IconSearch size={18} />
            </ActionIcon>
            <ColorSchemeToggle />
            <Tooltip label={t('Sign out')}>
              <ActionIcon variant="subtle" color="gray" onClick={() => void signOut()} aria-label={t('Sign out')}>
                <IconLogout size={18} />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t('Sections')}>
        <AppShell.Section grow component={ScrollArea}>
          {groups.map(({ label, pages }) => (
            <Fragment key={label}>
              {label && (
                <Text size="xs" fw={600} c="dimmed" px="sm" pt="sm" pb={4}>
                  {label}
                </Text>
              )}
              {pages.map(({ to, label, icon: Icon }) => (
                <NavLink
                  key={to}
                  component={Link}
                  to={to}
                  label={label}
                  leftSection={<Icon size={18} />}
                  active={to === '/' ? path === '/' : path.startsWith(to)}
                  onClick={close}
                  py={6}
                />
              ))}
            </Fragment>
          ))}
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main>
        <Outages />
        <Outlet />
      </AppShell.Main>
      <SignInAgain session={session} />
      {searching && (
        <Suspense>
          <Palette onClose={palette.close} />
        </Suspense>
      )}
    </AppShell>
  );
}

function ColorSchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <Tooltip label={dark ? t('Light theme') : t('Dark theme')}>
      <ActionIcon
        variant="subtle"
        color="gray"
        onClick={() => setColorScheme(dark ? 'light' : 'dark')}
        aria-label={dark ? t('Light theme') : t('Dark theme')}
      >
        {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
      </ActionIcon>
    </Tooltip>
  );
}
