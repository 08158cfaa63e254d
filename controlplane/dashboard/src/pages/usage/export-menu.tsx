import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { saveFile } from '../../parts/save-file';
import { csvOf } from './csv';

type Analytics = components['schemas']['AnalyticsView'];

const CHOICES: { name: string; label: string; table: (usage: Analytics) => string }[] = [
  { name: 'days', label: t('Days, as a table (CSV)'), table: ({ dailyTrend }) => csvOf(dailyTrend, ['date']) },
  { name: 'models', label: t('Models, as a table (CSV)'), table: ({ byModel }) => csvOf(byModel, ['provider', 'model']) },
  { name: 'api-keys', label: t('API keys, as a table (CSV)'), table: ({ byApiKey }) => csvOf(byApiKey, ['apiKey', 'apiKeyId']) },
  { name: 'providers', label: t('Providers, as a table (CSV)'), table: ({ byProvider }) => csvOf(byProvider, ['provider']) },
  { name: 'accounts', label: t('Accounts, as a table (CSV)'), table: ({ byAccount }) => csvOf(byAccount, ['provider', 'account', 'connectionId']) },
];

/** What the page shows, all of it and unrounded, as a file. */
export function ExportMenu({ usage }: { usage: Analytics | undefined }) {
  const save = (name: string, text: string, type: string) => saveFile(`omniroute-usage-${usage?.range}-${name}`, new Blob([text], { type }));
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" size="xs" leftSection={<IconDownload size={14} />} disabled={!usage}>
          {t('Export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {CHOICES.map(({ name, label, table }) => (
          <Menu.Item key={name} onClick={() => usage && save(`${name}.csv`, table(usage), 'text/csv')}>
            {label}
          </Menu.Item>
        ))}
        <Menu.Item onClick={() => save('all.json', JSON.stringify(usage, null, 2), 'application/json')}>{t('Everything, as JSON')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
