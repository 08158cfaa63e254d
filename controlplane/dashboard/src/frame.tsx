import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  NavLink,
  ScrollArea,
  Text,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconApi,
  IconArchive,
  IconArrowsShuffle,
  IconChartBar,
  IconChecklist,
  IconCoin,
  IconDatabase,
  IconGauge,
  IconHeartbeat,
  IconHistory,
  IconKey,
  IconLanguage,
  IconLayoutDashboard,
  IconListDetails,
  IconLogout,
  IconMessage,
  IconMoon,
  IconPlugConnected,
  IconSettings,
  IconShieldCheck,
  IconSun,
  IconTag,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { Fragment } from 'react';
import { api, unwrap } from './api/client';
import { sessionQuery } from './parts/authority';

const groups = [
  {
    label: null,
    pages: [
      { to: '/', label: 'Overview', icon: IconLayoutDashboard },
      { to: '/playground', label: 'Playground', icon: IconMessage },
    ],
  },
  {
    label: 'Routing',
    pages: [
      { to: '/providers', label: 'Providers', icon: IconPlugConnected },
      { to: '/combos', label: 'Combos', icon: IconArrowsShuffle },
      { to: '/aliases', label: 'Aliases', icon: IconTag },
      { to: '/policies', label: 'Policies', icon: IconShieldCheck },
    ],
  },
  {
    label: 'Access',
    pages: [
      { to: '/keys', label: 'API keys', icon: IconKey },
      { to: '/costs', label: 'Costs', icon: IconCoin },
      { to: '/limits', label: 'Limits', icon: IconGauge },
      { to: '/team', label: 'Team', icon: IconUsers },
    ],
  },
  {
    label: 'Traffic',
    pages: [
      { to: '/requests', label: 'Requests', icon: IconListDetails },
      { to: '/usage', label: 'Usage', icon: IconChartBar },
      { to: '/cache', label: 'Cache', icon: IconDatabase },
    ],
  },
  {
    label: 'Tools',
    pages: [
      { to: '/translator', label: 'Translator', icon: IconLanguage },
      { to: '/evals', label: 'Evals', icon: IconChecklist },
      { to: '/api', label: 'API', icon: IconApi },
    ],
  },
  {
    label: 'System',
    pages: [
      { to: '/health', label: 'Health', icon: IconHeartbeat },
      { to: '/settings', label: 'Settings', icon: IconSettings },
      { to: '/audit', label: 'Audit log', icon: IconHistory },
      { to: '/backups', label: 'Backups', icon: IconArchive },
    ],
  },
] as const;

/** What every page sits in: header, navigation, and the way out. */
export function Frame() {
  const [opened, { toggle, close }] = useDisclosure();
  const navigate = useNavigate();
  const client = useQueryClient();
  const account = useQuery(sessionQuery).data?.account;
  const path = useRouterState({ select: (state) => state.location.pathname });

  async function signOut() {
    await unwrap(api.POST('/api/auth/logout'));
    client.clear();
    await navigate({ to: '/login', search: {} });
  }

  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="lg">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          <Group gap="sm">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
            <img src="/dashboard/favicon.svg" width={26} height={26} alt="" />
            <Text fw={700}>OmniRoute</Text>
          </Group>
          <Group gap="xs">
            {account && (
              <Text size="sm" c="dimmed" visibleFrom="sm">
                {account.username}, {account.role}
              </Text>
            )}
            <ColorSchemeToggle />
            <Tooltip label="Sign out">
              <ActionIcon variant="subtle" color="gray" onClick={() => void signOut()} aria-label="Sign out">
                <IconLogout size={18} />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Sections">
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
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function ColorSchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <Tooltip label={dark ? 'Light theme' : 'Dark theme'}>
      <ActionIcon
        variant="subtle"
        color="gray"
        onClick={() => setColorScheme(dark ? 'light' : 'dark')}
        aria-label={dark ? 'Light theme' : 'Dark theme'}
      >
        {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
      </ActionIcon>
    </Tooltip>
  );
}
