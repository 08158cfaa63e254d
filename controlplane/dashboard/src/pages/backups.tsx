import { Badge, Button, Group, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { IconArchive, IconDownload, IconFileZip, IconHistory, IconUpload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { apiWord } from '../parts/api-words';
import { Needs } from '../parts/authority';
import { showApplied } from '../parts/failure';
import { when } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { CloudSync } from './backups/cloud';
import { ExportDialog } from './backups/export';
import { download } from './backups/files';
import { ImportDialog } from './backups/import';
import { Storage } from './backups/storage';
import { size } from './backups/words';

const wait = { query: { wait: 'applied' } } as const;

export function BackupsPage() {
  const client = useQueryClient();
  const [exporting, exportDialog] = useDisclosure();
  const [importing, importDialog] = useDisclosure();
  const query = useQuery({ queryKey: ['backups'], queryFn: () => unwrap(api.GET('/api/db-backups')) });
  // a restore changes what every page shows
  const refresh = () => client.invalidateQueries();

  const create = useMutation({
    mutationFn: () => unwrap(api.PUT('/api/db-backups')),
    onSuccess: (answer) => {
      const made = 'created' in answer;
      notifications.show({
        color: 'teal',
        title: made ? t('Backup made') : t('No backup was needed'),
        message: made ? '' : t('Nothing changed since the last one.'),
      });
    },
    onSettled: refresh,
  });
  const restore = useMutation({
    mutationFn: (backupId: string) => settle(api.POST('/api/db-backups', { params: wait, body: { backupId } })),
    onSuccess: ({ applied }) => showApplied(t('Backup restored'), applied),
    onSettled: refresh,
  });
  const archive = useMutation({ mutationFn: () => download('/api/db-backups/exportAll', 'omniroute.tar.gz') });

  function confirmRestore(id: string, when: string) {
    modals.openConfirmModal({
      title: t('Restore this backup?'),
      children: (
        <Text size="sm">
          {t(
            'The configuration becomes what it was on {when}. What was added since then goes; a backup of it is made first. Password, audit log and usage stay as they are.',
            { when },
          )}
        </Text>
      ),
      labels: { confirm: t('Restore'), cancel: t('Leave it') },
      confirmProps: { color: 'red' },
      onConfirm: () => restore.mutate(id),
    });
  }

  const actions = (
    <Group gap="xs">
      <Button variant="default" leftSection={<IconFileZip size={16} />} loading={archive.isPending} onClick={() => archive.mutate()}>
        {t('Archive')}
      </Button>
      <Button variant="default" leftSection={<IconUpload size={16} />} onClick={importDialog.open}>
        {t('Import')}
      </Button>
      <Button variant="default" leftSection={<IconDownload size={16} />} onClick={exportDialog.open}>
        {t('Export')}
      </Button>
      <Button leftSection={<IconArchive size={16} />} loading={create.isPending} onClick={() => create.mutate()}>
        {t('Back up now')}
      </Button>
    </Group>
  );
  return (
    <Needs role="admin">
      <PageHeader
        title={t('Backups')}
        hint={t('The configuration as it was: daily, before every restore and import, and whenever you ask.')}
        action={actions}
      />
      <Loaded
        query={query}
        empty={(data) =>
          data.backups.length === 0 && (
            <Empty title={t('No backup yet')} hint={t('One is made a day when something has changed. You need not wait for it.')} />
          )
        }
      >
        {(data) => (
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Made')}</Table.Th>
                  <Table.Th>{t('Why')}</Table.Th>
                  <Table.Th>{t('Holds')}</Table.Th>
                  <Table.Th>{t('Size')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.backups.map((backup) => {
                  const made = when(backup.createdAt);
                  return (
                    <Table.Tr key={backup.id}>
                      <Table.Td>{made}</Table.Td>
                      <Table.Td>
                        <Badge variant="light" tt="none" miw="max-content">
                          {apiWord(backup.reason)}
                        </Badge>
                      </Table.Td>
                      <Table.Td>
                        {backup.connectionCount == null
                          ? t('cannot be read')
                          : t('{connectionCount, plural, one {# connection} other {# connections}}, {comboCount, plural, one {# combo} other {# combos}}, {apiKeyCount, plural, one {# key} other {# keys}}', {
                              connectionCount: backup.connectionCount,
                              comboCount: backup.comboCount ?? 0,
                              apiKeyCount: backup.apiKeyCount ?? 0,
                            })}
                      </Table.Td>
                      <Table.Td>{size(backup.size)}</Table.Td>
                      <Table.Td ta="right">
                        <Button
                          size="xs"
                          variant="light"
                          leftSection={<IconHistory size={14} />}
                          loading={restore.isPending && restore.variables === backup.id}
                          disabled={backup.connectionCount == null}
                          onClick={() => confirmRestore(backup.id, made)}
                          aria-label={t('Restore {id}', { id: backup.id })}
                        >
                          {t('Restore')}
                        </Button>
                      </Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
      <Stack mt="lg">
        <CloudSync />
        <Storage />
      </Stack>
      <ExportDialog opened={exporting} onClose={exportDialog.close} />
      <ImportDialog opened={importing} onClose={importDialog.close} onImported={refresh} />
    </Needs>
  );
}
