import { ActionIcon, Alert, Button, Group, Input, Select, Stack, Switch, TextInput } from '@mantine/core';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { FailureText, showApplied } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { Handle, Sorted, useMovable } from '../../parts/sorted';

type Link = components['schemas']['Link'];
type Draft = { id: string; provider: string; enabled: boolean };
type Values = { model: string; chain: Draft[] };
type Option = { value: string; label: string };

/** A chain as stored; no model is a new one. */
export type Chain = { model: string; chain: Link[] };

const draft = (provider = '', enabled = true): Draft => ({ id: crypto.randomUUID?.() ?? `${Math.random()}`, provider, enabled });

export function ChainDialog({ chain: stored, onClose, onSaved }: { chain: Chain; onClose: () => void; onSaved: () => void }) {
  const isNew = stored.model === '';
  const [left, setLeft] = useState<unknown>(null);
  const providers = useQuery({
    queryKey: ['catalog', 'names'],
    queryFn: async (): Promise<Option[]> => {
      const [{ catalog }, { nodes }] = await Promise.all([unwrap(api.GET('/api/models/catalog')), unwrap(api.GET('/api/provider-nodes'))]);
      // an endpoint of one's own may be in both
      const names = new Map([...nodes.map(({ id, name }) => [id, name] as const), ...Object.values(catalog).map(({ id, provider }) => [id, provider] as const)]);
      return [...names].map(([value, label]) => ({ value, label })).toSorted((one, other) => one.label.localeCompare(other.label));
    },
  });
  const form = useForm<Values>({
    initialValues: {
      model: stored.model,
      chain: isNew ? [draft(), draft()] : stored.chain.map(({ provider, enabled }) => draft(provider, enabled)),
    },
    validate: {
      model: (value) => (value.trim() ? null : t('Write the model')),
      chain: (links) => (links.some(({ provider }) => provider) ? null : t('Choose at least one provider')),
    },
  });
  const save = useMutation({
    mutationFn: ({ model, chain }: Values) => {
      // places follow the order they stand in
      const links = chain.filter(({ provider }) => provider).map(({ provider, enabled }, priority) => ({ provider, enabled, priority }));
      return settle(api.PUT('/api/fallback/chains', { params: { query: { wait: 'applied' } }, body: { model: model.trim(), chain: links } }));
    },
    onMutate: () => setLeft(null),
    onSuccess: ({ applied }, { model }) => {
      showApplied(t('{name} saved', { name: model }), applied);
      onClose();
    },
    onError: (error) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], ['model', 'chain']);
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) setLeft(error);
    },
    onSettled: onSaved,
  });
  const links = form.values.chain;
  const label = (id: string) => providers.data?.find(({ value }) => value === id)?.label ?? id;
  return (
    <Dialog onClose={onClose} title={isNew ? t('New chain') : t('Edit {name}', { name: stored.model })} size="lg">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput
            label={t('Model')}
            description={t('Without the provider before it.')}
            placeholder={t('gpt-4o-mini')}
            readOnly={!isNew}
            data-autofocus
            {...form.getInputProps('model')}
          />
          <div role="group" aria-label={t('Providers')}>
            <Input.Label>{t('Providers')}</Input.Label>
            <Input.Description mb="xs">{t('Drag them into the order to try.')}</Input.Description>
            <Sorted
              items={links.map(({ id, provider }, at) => ({ id, name: label(provider) || t('provider {place}', { place: at + 1 }) }))}
              onMove={(from, to) => form.reorderListItem('chain', { from, to })}
            >
              <Stack gap="xs">
                {links.map(({ id }, position) => (
                  <LinkRow key={id} id={id} form={form} position={position} options={providers.data ?? []} />
                ))}
              </Stack>
            </Sorted>
            {form.errors.chain && <Input.Error mt="xs">{form.errors.chain}</Input.Error>}
            <Button mt="xs" variant="light" size="xs" leftSection={<IconPlus size={14} />} onClick={() => form.insertListItem('chain', draft())}>
              {t('Another provider')}
            </Button>
          </div>
          {left !== null && (
            <Alert color="red" title={t('That did not work')}>
              <FailureText error={left} />
            </Alert>
          )}
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}

function LinkRow({ id, form, position, options }: { id: string; form: UseFormReturnType<Values>; position: number; options: Option[] }) {
  const { ref, style, handle } = useMovable(id);
  const place = { position: position + 1 };
  return (
    <Group ref={ref} gap="xs" wrap="nowrap" align="center" style={style}>
      <Handle of={handle} label={t('Move provider {position}', place)} />
      <Select
        style={{ flex: 1 }}
        aria-label={t('Provider {position}', place)}
        placeholder={t('Type to search')}
        searchable
        comboboxProps={{ keepMounted: false }}
        data={options}
        {...form.getInputProps(`chain.${position}.provider`)}
        onChange={(next) => form.setFieldValue(`chain.${position}.provider`, next ?? '')}
      />
      <Switch aria-label={t('Ask provider {position}', place)} {...form.getInputProps(`chain.${position}.enabled`, { type: 'checkbox' })} />
      <ActionIcon
        variant="subtle"
        color="red"
        disabled={form.values.chain.length === 1}
        aria-label={t('Remove provider {position}', place)}
        onClick={() => form.removeListItem('chain', position)}
      >
        <IconX size={16} />
      </ActionIcon>
    </Group>
  );
}
