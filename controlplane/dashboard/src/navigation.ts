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
  IconRoute,
  IconShieldCheck,
  IconTag,
  IconTerminal,
  IconTerminal2,
  IconUsers,
} from '@tabler/icons-react';
import { t } from './i18n';

/** Every page one can go to, in the order of the menu. The command palette finds them by `words` as well. */
export const groups = [
  {
    label: null,
    pages: [
      { to: '/', label: t('Overview'), icon: IconLayoutDashboard, words: t('home start') },
      { to: '/playground', label: t('Playground'), icon: IconMessage, words: t('chat try compare') },
    ],
  },
  {
    label: t('Routing'),
    pages: [
      { to: '/providers', label: t('Providers'), icon: IconPlugConnected, words: t('connections accounts endpoints') },
      { to: '/combos', label: t('Combos'), icon: IconArrowsShuffle, words: t('fallback groups') },
      { to: '/aliases', label: t('Aliases'), icon: IconTag, words: t('names models fallback chains') },
      { to: '/policies', label: t('Policies'), icon: IconShieldCheck, words: t('rules') },
    ],
  },
  {
    label: t('Access'),
    pages: [
      { to: '/keys', label: t('API keys'), icon: IconKey, words: t('tokens clients') },
      { to: '/costs', label: t('Costs'), icon: IconCoin, words: t('budgets prices money') },
      { to: '/limits', label: t('Limits'), icon: IconGauge, words: t('quota sessions') },
      { to: '/team', label: t('Team'), icon: IconUsers, words: t('people accounts roles') },
    ],
  },
  {
    label: t('Traffic'),
    pages: [
      { to: '/requests', label: t('Requests'), icon: IconListDetails, words: t('log live') },
      { to: '/proxy-log', label: t('Proxy log'), icon: IconRoute, words: t('proxies calls ways out') },
      { to: '/usage', label: t('Usage'), icon: IconChartBar, words: t('charts tokens') },
      { to: '/cache', label: t('Cache'), icon: IconDatabase, words: t('semantic') },
    ],
  },
  {
    label: t('Tools'),
    pages: [
      { to: '/cli-tools', label: t('CLI tools'), icon: IconTerminal2, words: t('claude code codex droid openclaw cursor cline') },
      { to: '/translator', label: t('Translator'), icon: IconLanguage, words: t('formats dialects') },
      { to: '/evals', label: t('Evals'), icon: IconChecklist, words: t('tests suites') },
      { to: '/api', label: t('API'), icon: IconApi, words: t('management reference openapi') },
    ],
  },
  {
    label: t('System'),
    pages: [
      { to: '/health', label: t('Health'), icon: IconHeartbeat, words: t('status latency breakers restart') },
      { to: '/nodes', label: t('Nodes'), icon: IconServer2, words: t('data planes drain restart shut down operations') },
      { to: '/console', label: t('Console'), icon: IconTerminal, words: t('log lines errors warnings') },
      { to: '/settings', label: t('Settings'), icon: IconSettings, words: t('login proxy prompt language colours session') },
      { to: '/audit', label: t('Audit log'), icon: IconHistory, words: t('who did what') },
      { to: '/backups', label: t('Backups'), icon: IconArchive, words: t('restore export import cloud sync storage') },
    ],
  },
] as const;

export type Path = (typeof groups)[number]['pages'][number]['to'];
