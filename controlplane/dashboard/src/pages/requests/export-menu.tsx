import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { t } from '../../i18n';
import { logQuery } from './log-query';
import type { RequestFilter } from '../request-filter';

const CHOICES = [
  { hours: '24', format: 'csv', label: t('The last 24 hours, as a table (CSV)') },
  { hours: '24', format: 'json', label: t('The last 24 hours, as JSON') },
  { hours: '168', format: 'csv', label: t('The last 7 days, as a table (CSV)') },
  { hours: '168', format: 'json', label: t('The last 7 days, as JSON') },
];

/** What passes the filter, as a file. The browser fetches it by itself, however large it is. */
export function ExportMenu({ filter }: { filter: RequestFilter }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} />}>
          {t('Export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {CHOICES.map(({ hours, format, label }) => (
          <Menu.Item key={label} component="a" href={`/api/logs/export?${logQuery(filter, { hours, format })}`} download>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
