import { Accordion, Alert, Button, NumberInput, Select, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { FailureText, showApplied } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { choices, configOf, numbers, switches, valuesOf } from './config';
import { blank, draftOf, membersOf } from './member';
import { MembersField } from './members-field';
import { strategies } from './strategies';

type Combo = components['schemas']['ComboView'];
/** Without an id it is a new one, perhaps made after another. */
export type Edited = Pick<Combo, 'name' | 'models' | 'strategy'> & { id?: string; config: Partial<Combo['config']> };

const wait = { query: { wait: 'applied' } } as const;

export function ComboEditor({ edited, onClose, onSaved }: { edited: Edited; onClose: () => void; onSaved: () => void }) {
  const [left, setLeft] = useState<unknown>(null);
  const form = useForm({
    initialValues: {
      name: edited.name,
      strategy: edited.strategy,
      models: edited.models.length > 0 ? edited.models.map(draftOf) : [blank()],
      config: valuesOf(edited.config),
    },
    validate: {
      name: (value) => (/^[a-zA-Z0-9_/.-]+$/.test(value) ? null : t('Letters, digits and _ / . - only')),
      models: (value) => (membersOf(value).length > 0 ? null : t('Name at least one member')),
    },
  });
  const save = useMutation({
    mutationFn: async ({ name, strategy, models, config }: typeof form.values) => {
      const body = { name, strategy, models: membersOf(models), config: configOf(config) };
      return edited.id === undefined
        ? settle(api.POST('/api/combos', { params: wait, body }))
        : settle(api.PATCH('/api/combos/{id}', { params: { path: { id: edited.id }, ...wait }, body }));
    },
    onMutate: () => setLeft(null),
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onSaved();
      onClose();
    },
    onError: (error) => {
      const details = error instanceof ApiFailure ? error.details : [];
      const { errors, rest } = fieldErrors(details, [
        'name',
        'models',
        'strategy',
        ...Object.keys(form.values.config).map((name) => `config.${name}`),
      ]);
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) setLeft(error);
    },
  });
  return (
    <Dialog onClose={onClose} title={edited.id ? t('Edit {name}', { name: edited.name }) : t('New combo')} size="lg">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} placeholder={t('smart')} required data-autofocus {...form.getInputProps('name')} />
          <Select label={t('Asked first')} data={strategies} allowDeselect={false} {...form.getInputProps('strategy')} />
          <MembersField form={form as unknown as Parameters<typeof MembersField>[0]['form']} weighted={form.values.strategy === 'weighted'} />
          <Accordion variant="contained">
            <Accordion.Item value="config">
              <Accordion.Control>{t('Retries, times and queues')}</Accordion.Control>
              <Accordion.Panel>
                <SimpleGrid cols={{ base: 1, xs: 2 }}>
                  {numbers.map(({ name, label }) => (
                    <NumberInput
                      key={name}
                      label={label}
                      placeholder={t('as usual')}
                      allowDecimal={false}
                      {...form.getInputProps(`config.${name}`)}
                    />
                  ))}
                  {switches.map(({ name, label }) => (
                    <Select key={name} label={label} placeholder={t('as usual')} data={choices} clearable {...form.getInputProps(`config.${name}`)} />
                  ))}
                </SimpleGrid>
              </Accordion.Panel>
            </Accordion.Item>
          </Accordion>
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
