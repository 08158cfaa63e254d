import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  NavLink,
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
  IconKey,
  IconLayoutDashboard,
  IconListDetails,
  IconLogout,
  IconMoon,
  IconPlugConnected,
  IconSun,
  IconTag,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { api, unwrap } from './api/client';
import { sessionQuery } from './parts/authority';

const sections = [
  { to: '/', label: 'Overview', icon: IconLayoutDashboard },
  { to: '/providers', label: 'Providers', icon: IconPlugConnected },
  { to: '/combos', label: 'Combos', icon: IconArrowsShuffle },
  { to: '/aliases', label: 'Aliases', icon: IconTag },
  { to: '/keys', label: 'API keys', icon: IconKey },
  { to: '/requests', label: 'Requests', icon: IconListDetails },
  { to: '/usage', label: 'Usage', icon: IconChartBar },
  { to: '/team', label: 'Team', icon: IconUsers },
  { to: '/api', label: 'API', icon: IconApi },
  { to: '/backups', label: 'Backups', icon: IconArchive },
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
        {sections.map(({ to, label, icon: Icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            leftSection={<Icon size={18} />}
            active={to === '/' ? path === '/' : path.startsWith(to)}
            onClick={close}
          />
        ))}
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
