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
  IconMessage,
  IconPlugConnected,
  IconServer2,
  IconSettings,
  IconShieldCheck,
  IconTag,
  IconTerminal2,
  IconUsers,
} from '@tabler/icons-react';

/** Every page one can go to, in the order of the menu. The command palette finds them by `words` as well. */
export const groups = [
  {
    label: null,
    pages: [
      { to: '/', label: 'Overview', icon: IconLayoutDashboard, words: 'home start' },
      { to: '/playground', label: 'Playground', icon: IconMessage, words: 'chat try compare' },
    ],
  },
  {
    label: 'Routing',
    pages: [
      { to: '/providers', label: 'Providers', icon: IconPlugConnected, words: 'connections accounts endpoints' },
      { to: '/combos', label: 'Combos', icon: IconArrowsShuffle, words: 'fallback groups' },
      { to: '/aliases', label: 'Aliases', icon: IconTag, words: 'names models' },
      { to: '/policies', label: 'Policies', icon: IconShieldCheck, words: 'rules' },
    ],
  },
  {
    label: 'Access',
    pages: [
      { to: '/keys', label: 'API keys', icon: IconKey, words: 'tokens clients' },
      { to: '/costs', label: 'Costs', icon: IconCoin, words: 'budgets prices money' },
      { to: '/limits', label: 'Limits', icon: IconGauge, words: 'quota sessions' },
      { to: '/team', label: 'Team', icon: IconUsers, words: 'people accounts roles' },
    ],
  },
  {
    label: 'Traffic',
    pages: [
      { to: '/requests', label: 'Requests', icon: IconListDetails, words: 'log live' },
      { to: '/usage', label: 'Usage', icon: IconChartBar, words: 'charts tokens' },
      { to: '/cache', label: 'Cache', icon: IconDatabase, words: 'semantic' },
    ],
  },
  {
    label: 'Tools',
    pages: [
      { to: '/cli-tools', label: 'CLI tools', icon: IconTerminal2, words: 'claude code codex droid openclaw cursor cline' },
      { to: '/translator', label: 'Translator', icon: IconLanguage, words: 'formats dialects' },
      { to: '/evals', label: 'Evals', icon: IconChecklist, words: 'tests suites' },
      { to: '/api', label: 'API', icon: IconApi, words: 'management reference openapi' },
    ],
  },
  {
    label: 'System',
    pages: [
      { to: '/health', label: 'Health', icon: IconHeartbeat, words: 'status latency breakers' },
      { to: '/nodes', label: 'Nodes', icon: IconServer2, words: 'data planes drain restart shut down operations' },
      { to: '/settings', label: 'Settings', icon: IconSettings, words: 'login proxy prompt' },
      { to: '/audit', label: 'Audit log', icon: IconHistory, words: 'who did what' },
      { to: '/backups', label: 'Backups', icon: IconArchive, words: 'restore export import' },
    ],
  },
] as const;

export type Path = (typeof groups)[number]['pages'][number]['to'];
