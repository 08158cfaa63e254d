import { Button, Modal, Select, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { api, settle } from '../../api/client';
import { showApplied } from '../../parts/failure';
import { CredentialFields, nowhere, whereaboutsOf } from './credential-fields';
import { choices, find, type Catalog } from './groups';

type Props = { opened: boolean; catalog: Catalog; onClose: () => void; onSaved: () => void };

export function NewConnection({ opened, catalog, onClose, onSaved }: Props) {
  const form = useForm({
    initialValues: { provider: '', name: '', apiKey: '', ...nowhere, baseUrl: '', allowPrivateAddress: false },
    validate: {
      provider: isNotEmpty('Choose who the key belongs to'),
      name: isNotEmpty('A name tells this key from others of the same provider'),
      apiKey: (key, { provider }) => (key || find(catalog, provider)?.keyless ? null : 'Paste the key the provider gave you'),
    },
  });
  const save = useMutation({
    mutationFn: ({ baseUrl, allowPrivateAddress, region, project, ...body }: typeof form.values) => {
      const address = baseUrl.trim() ? { baseUrl: baseUrl.trim() } : {};
      const providerSpecificData = { ...address, ...whereaboutsOf(find(catalog, body.provider), { region, project }) };
      return settle(
        api.POST('/api/providers', {
          params: { query: { wait: 'applied' } },
          body: { ...body, ...(baseUrl.trim() ? { allowPrivateAddress } : {}), providerSpecificData },
        }),
      );
    },
    onSuccess: ({ applied }, { name }) => {
      showApplied(`${name} saved`, applied);
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
    <Modal opened={opened} onClose={dismiss} title="Add connection">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <Select
            label="Provider"
            placeholder="Type to search"
            data={choices(catalog)}
            searchable
            openOnFocus={false}
            data-autofocus
            {...form.getInputProps('provider')}
          />
          <TextInput label="Name" placeholder="team account" {...form.getInputProps('name')} />
          <CredentialFields entry={chosen} form={form} />
          {!custom && (
            <TextInput
              label="Own address"
              description="Instead of the provider's, for a proxy or a regional endpoint."
              placeholder="https://example.com/v1"
              {...form.getInputProps('baseUrl')}
            />
          )}
          {!custom && form.values.baseUrl && (
            <Switch label="Allow a private address" {...form.getInputProps('allowPrivateAddress', { type: 'checkbox' })} />
          )}
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
