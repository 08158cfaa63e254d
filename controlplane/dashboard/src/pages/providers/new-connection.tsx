import { Button, Modal, Select, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { showApplied } from '../../parts/failure';
import { CredentialFields, nowhere, whereaboutsOf } from './credential-fields';
import { DisconnectField, type OnDisconnect } from './disconnect';
import { choices, find, type Catalog } from './groups';

type Props = { opened: boolean; catalog: Catalog; onClose: () => void; onSaved: () => void };

export function NewConnection({ opened, catalog, onClose, onSaved }: Props) {
  const form = useForm({
    initialValues: {
      provider: '',
      name: '',
      apiKey: '',
      ...nowhere,
      baseUrl: '',
      allowPrivateAddress: false,
      onDisconnect: 'cancel' as OnDisconnect,
    },
    validate: {
      provider: isNotEmpty(t('Choose who the key belongs to')),
      name: isNotEmpty(t('A name tells this key from others of the same provider')),
      apiKey: (key, { provider }) => (key || find(catalog, provider)?.keyless ? null : t('Paste the key the provider gave you')),
    },
  });
  const save = useMutation({
    mutationFn: ({ baseUrl, allowPrivateAddress, region, project, onDisconnect, ...body }: typeof form.values) => {
      const address = baseUrl.trim() ? { baseUrl: baseUrl.trim() } : {};
      const whereabouts = whereaboutsOf(find(catalog, body.provider), { region, project });
      const providerSpecificData = { ...address, ...whereabouts, ...(onDisconnect === 'drain' ? { onDisconnect } : {}) };
      return settle(
        api.POST('/api/providers', {
          params: { query: { wait: 'applied' } },
          body: { ...body, ...(baseUrl.trim() ? { allowPrivateAddress } : {}), providerSpecificData },
        }),
      );
    },
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onSaved();
      dismiss();
    },
  });
  function dismiss() {
    form.reset();
    onClose();
  }
  const chosen = find(catalog, form.values.provider);
  const custom = chosen?.custom ?? false;

  return (
    <Modal opened={opened} onClose={dismiss} title={t('Add connection')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <Select
            label={t('Provider')}
            placeholder={t('Type to search')}
            data={choices(catalog)}
            searchable
            openOnFocus={false}
            data-autofocus
            {...form.getInputProps('provider')}
          />
          <TextInput label={t('Name')} placeholder={t('team account')} {...form.getInputProps('name')} />
          <CredentialFields entry={chosen} form={form} />
          {!custom && (
            <TextInput
              label={t('Own address')}
              description={t("Instead of the provider's, for a proxy or a regional endpoint.")}
              placeholder={t('https://example.com/v1')}
              {...form.getInputProps('baseUrl')}
            />
          )}
          {!custom && form.values.baseUrl && (
            <Switch label={t('Allow a private address')} {...form.getInputProps('allowPrivateAddress', { type: 'checkbox' })} />
          )}
          <DisconnectField form={form} />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
