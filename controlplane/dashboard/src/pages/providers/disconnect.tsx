import { Button, Modal, Select, Stack } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { showApplied } from '../../parts/failure';
import { type Connection, nameOf } from './groups';

/** What becomes of a call whose client has left. */
export type OnDisconnect = 'cancel' | 'drain';

const policyOf = (connection: Connection): OnDisconnect => (connection.providerSpecificData.onDisconnect === 'drain' ? 'drain' : 'cancel');

export function DisconnectField<T extends { onDisconnect: OnDisconnect }>({ form }: { form: UseFormReturnType<T> }) {
  return (
    <Select
      label={t('When a client leaves')}
      description={t(
        'Ending the call saves tokens, and what it cost is an estimate. Reading on pays for the whole answer, knows its cost from the provider, and keeps the account busy meanwhile.',
      )}
      data={[
        { value: 'cancel', label: t('End its call') },
        { value: 'drain', label: t('Read the answer to its end') },
      ]}
      allowDeselect={false}
      {...form.getInputProps('onDisconnect')}
    />
  );
}

type Props = { connection: Connection; opened: boolean; onClose: () => void; onSaved: () => void };

/** What of a connection may be changed while it is used. */
export function ConnectionSettings({ connection, opened, onClose, onSaved }: Props) {
  const name = nameOf(connection);
  return (
    <Modal opened={opened} onClose={onClose} title={t('Settings of {name}', { name })}>
      <Fields connection={connection} onClose={onClose} onSaved={onSaved} />
    </Modal>
  );
}

/** Made anew whenever the dialog opens, so that it shows what is stored. */
function Fields({ connection, onClose, onSaved }: Omit<Props, 'opened'>) {
  const { id } = connection;
  const form = useForm({ initialValues: { onDisconnect: policyOf(connection) } });
  const save = useMutation({
    mutationFn: (providerSpecificData: typeof form.values) =>
      settle(
        api.PATCH('/api/providers/{id}', { params: { path: { id }, query: { wait: 'applied' } }, body: { providerSpecificData } }),
      ),
    onSuccess: ({ applied }) => {
      showApplied(t('{name} saved', { name: nameOf(connection) }), applied);
      onSaved();
      onClose();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <DisconnectField form={form} />
        <Button type="submit" loading={save.isPending}>
          {t('Save')}
        </Button>
      </Stack>
    </form>
  );
}
