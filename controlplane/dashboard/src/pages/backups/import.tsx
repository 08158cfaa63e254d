import { Alert, Button, FileInput, Group, List, Modal, PasswordInput, Progress, SegmentedControl, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { FailureText, showApplied } from '../../parts/failure';
import { upload } from './files';

type Imported = components['schemas']['BundleImported'];
type Values = { file: File | null; mode: string; encryptionKey: string; passphrase: string };

export function ImportDialog({ opened, onClose, onImported }: { opened: boolean; onClose: () => void; onImported: () => void }) {
  const [share, setShare] = useState(0);
  const form = useForm<Values>({
    initialValues: { file: null, mode: 'replace', encryptionKey: '', passphrase: '' },
    validate: {
      file: (value) => (value?.name.toLowerCase().endsWith('.sqlite') ? null : t('Choose a file whose name ends in .sqlite')),
    },
    // what was looked at is not what would be imported any more
    onValuesChange: () => preview.reset(),
  });
  const send = (values: Values, dryRun: boolean) => {
    const body = new FormData();
    body.set('mode', values.mode);
    body.set('encryptionKey', values.encryptionKey);
    body.set('passphrase', values.passphrase);
    body.set('dryRun', String(dryRun));
    if (values.file) body.set('file', values.file, values.file.name);
    setShare(0);
    return upload<Imported>('/api/db-backups/import?wait=applied', body, setShare);
  };
  const shown = { onError: () => undefined };
  const preview = useMutation({ mutationFn: (values: Values) => send(values, true), ...shown });
  const run = useMutation({
    mutationFn: (values: Values) => send(values, false),
    onSuccess: ({ applied }) => {
      showApplied(t('Imported'), applied);
      dismiss();
    },
    onSettled: onImported,
    ...shown,
  });
  function dismiss() {
    form.reset();
    preview.reset();
    run.reset();
    onClose();
  }
  const busy = preview.isPending || run.isPending;
  const error = run.error ?? preview.error;
  return (
    <Modal opened={opened} onClose={dismiss} title={t('Import a configuration')}>
      <form onSubmit={form.onSubmit((values) => preview.mutate(values))}>
        <Stack>
          <FileInput
            label={t('File')}
            description={t('An export or a backup of this version, or the database of v1.6')}
            placeholder={t('storage.sqlite')}
            accept=".sqlite"
            {...form.getInputProps('file')}
          />
          <SegmentedControl
            aria-label={t('What becomes of what is here')}
            data={[
              { value: 'replace', label: t('Replace what is here') },
              { value: 'merge', label: t('Add to it') },
            ]}
            {...form.getInputProps('mode')}
          />
          <PasswordInput
            label={t('STORAGE_ENCRYPTION_KEY it was written with')}
            description={t('Only if it is another one than here')}
            autoComplete="off"
            {...form.getInputProps('encryptionKey')}
          />
          <PasswordInput label={t('Passphrase it was exported with')} autoComplete="off" {...form.getInputProps('passphrase')} />
          {busy && <Progress value={share * 100} animated={share >= 1} aria-label={t('Upload')} />}
          {error && (
            <Alert color="red" title={t('The file was not taken over')}>
              <FailureText error={error} />
            </Alert>
          )}
          {preview.data && <Preview data={preview.data.data} />}
          <Group justify="flex-end">
            <Button type="submit" variant={preview.data ? 'default' : 'filled'} loading={preview.isPending} disabled={run.isPending}>
              {t('Preview')}
            </Button>
            {preview.data && (
              <Button color="red" loading={run.isPending} onClick={() => run.mutate(form.getValues())}>
                {t('Import')}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Preview({ data }: { data: Imported }) {
  return (
    <Alert color={data.undecryptable > 0 || data.warnings.length > 0 ? 'yellow' : 'teal'} title={t('Afterwards there would be')}>
      <Stack gap="xs">
        <Text size="sm">
          {t(
            '{connectionCount} connections, {nodeCount} endpoints, {comboCount} combos, {apiKeyCount} API keys. A backup of what is here is made first.',
            { connectionCount: data.connectionCount, nodeCount: data.nodeCount, comboCount: data.comboCount, apiKeyCount: data.apiKeyCount },
          )}
        </Text>
        {data.undecryptable > 0 && (
          <Text size="sm">{t('{undecryptable} secrets do not open and would have to be given again.', { undecryptable: data.undecryptable })}</Text>
        )}
        {data.warnings.length > 0 && (
          <List size="sm">
            {data.warnings.map((warning) => (
              <List.Item key={warning}>{warning}</List.Item>
            ))}
          </List>
        )}
      </Stack>
    </Alert>
  );
}
