import { Alert, Button, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle } from '../../api/client';
import { mayAct, useRole } from '../../parts/authority';
import { Dialog } from '../../parts/dialog';
import { FailureText, showApplied } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { changesOf, valuesOf } from './connection-changes';
import { CredentialFields } from './credential-fields';
import { DisconnectField } from './disconnect';
import { type Catalog, type Connection, nameOf } from './groups';

type Props = { connection: Connection; entry: Catalog[string] | undefined; onClose: () => void; onSaved: () => Promise<void> };

/** Changes a stored connection: its name, its key, and where it leads. */
export function EditConnection({ connection, entry, onClose, onSaved }: Props) {
  const [left, setLeft] = useState<unknown>(null);
  const mayAllow = mayAct(useRole(), 'admin');
  // what it was when the dialog opened: the list goes on behind it
  const [before] = useState(() => valuesOf(connection));
  const form = useForm({ initialValues: before, validate: { name: isNotEmpty(t('A name tells this key from others of the same provider')) } });
  const isAccount = connection.authType === 'oauth';
  // an endpoint of one's own has its address itself
  const hasAddress = !isAccount && !(entry?.custom ?? false);
  const save = useMutation({
    mutationFn: (values: typeof before) =>
      settle(
        api.PATCH('/api/providers/{id}', {
          params: { path: { id: connection.id }, query: { wait: 'applied' } },
          body: changesOf(values, before, entry),
        }),
      ),
    onMutate: () => setLeft(null),
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onClose();
    },
    onError: (error) => {
      const details = error instanceof ApiFailure ? error.details : [];
      const { errors, rest } = fieldErrors(
        details.map(({ field, message }) => ({ field: field.replace(/^providerSpecificData\./, ''), message })),
        Object.keys(before),
      );
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) setLeft(error);
    },
    onSettled: onSaved,
  });
  return (
    <Dialog onClose={onClose} title={t('Edit {name}', { name: nameOf(connection) })}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} data-autofocus {...form.getInputProps('name')} />
          {!isAccount && <CredentialFields entry={entry} form={form} stored={connection.maskedApiKey ?? undefined} />}
          <TextInput
            label={t('Default model')}
            description={t('What it is tested with, and offered first where a model is chosen.')}
            placeholder={t('optional')}
            {...form.getInputProps('defaultModel')}
          />
          {hasAddress && (
            <TextInput
              label={t('Own address')}
              description={t("Instead of the provider's, for a proxy or a regional endpoint.")}
              placeholder={t('https://example.com/v1')}
              {...form.getInputProps('baseUrl')}
            />
          )}
          {hasAddress && form.values.baseUrl && (
            <Switch label={t('Allow a private address')} disabled={!mayAllow} {...form.getInputProps('allowPrivateAddress', { type: 'checkbox' })} />
          )}
          <DisconnectField form={form} />
          {left !== null && (
            <Alert color="red" title={t('That did not work')}>
              <FailureText error={left} />
            </Alert>
          )}
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
