import { Button, Checkbox, Modal, PasswordInput, Radio, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { download } from './files';

type Secrets = 'encrypted' | 'passphrase' | 'omit';

export function ExportDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const form = useForm({
    initialValues: { secrets: 'encrypted' as Secrets, passphrase: '', usage: false, logs: false },
    validate: {
      passphrase: (value, { secrets }) =>
        secrets === 'passphrase' && value.length < 12 ? t('At least 12 characters: it is all that protects the credentials') : null,
    },
  });
  const run = useMutation({
    mutationFn: ({ secrets, passphrase, usage, logs }: typeof form.values) => {
      const include = ['config', ...(usage ? ['usage'] : []), ...(logs ? ['logs'] : [])].join(',');
      const query = new URLSearchParams({ secrets, include });
      const headers = secrets === 'passphrase' ? { 'x-export-passphrase': utf8(passphrase) } : undefined;
      return download(`/api/db-backups/export?${query}`, 'omniroute-backup.sqlite', headers);
    },
    onSuccess: () => {
      form.reset();
      onClose();
    },
  });
  return (
    <Modal opened={opened} onClose={onClose} title={t('Export the configuration')}>
      <form onSubmit={form.onSubmit((values) => run.mutate(values))}>
        <Stack>
          <Radio.Group label={t('Credentials of providers and proxies')} {...form.getInputProps('secrets')}>
            <Stack gap="xs" mt="xs">
              <Radio value="encrypted" label={t('Sealed')} description={t('Opened only with the STORAGE_ENCRYPTION_KEY of this installation')} />
              <Radio value="passphrase" label={t('Sealed under a passphrase')} description={t('For an installation with another key')} />
              <Radio value="omit" label={t('Left out')} description={t('They have to be given again')} />
            </Stack>
          </Radio.Group>
          {form.values.secrets === 'passphrase' && (
            <PasswordInput label={t('Passphrase')} autoComplete="new-password" {...form.getInputProps('passphrase')} />
          )}
          <Checkbox label={t('With what was used')} {...form.getInputProps('usage', { type: 'checkbox' })} />
          <Checkbox label={t('With the log of requests')} {...form.getInputProps('logs', { type: 'checkbox' })} />
          <Button type="submit" loading={run.isPending}>
            {t('Download')}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

/** Headers are bytes; `fetch` takes only characters that are one. */
function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}
