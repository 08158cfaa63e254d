import { Button, Group, MultiSelect, NumberInput, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { ApiFailure, api, settle } from '../../api/client';
import { Dialog } from '../../parts/dialog';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors, fieldPaths } from '../../parts/field-errors';
import { CHOICES } from '../../parts/filter-form';
import { type Policy, weekdays } from './words';

const types = [
  { value: 'access', label: t('Access: refuse models') },
  { value: 'routing', label: t('Routing: try providers first') },
  { value: 'budget', label: t('Budget: bound the length of answers') },
];

/** As the API has it, with something in every field. */
function valuesOf(policy: Policy | null) {
  const { model_pattern, api_key_ids, providers, hours }: Partial<Policy['conditions']> = policy?.conditions ?? {};
  const { prefer_provider, block_model, max_tokens }: Partial<Policy['actions']> = policy?.actions ?? {};
  return {
    name: policy?.name ?? '',
    type: policy?.type ?? 'access',
    priority: policy?.priority ?? 100,
    conditions: {
      model_pattern: model_pattern ?? '',
      api_key_ids: api_key_ids ?? [],
      providers: providers ?? [],
      hours: { from: hours?.from ?? '', until: hours?.until ?? '', days: (hours?.days ?? []).map(String) },
    },
    actions: { prefer_provider: prefer_provider ?? [], block_model: block_model ?? [], max_tokens: (max_tokens ?? '') as number | string },
  };
}
type Values = ReturnType<typeof valuesOf>;

/** Only the action of the type is sent: the API refuses the others. */
function bodyOf({ name, type, priority, conditions: { model_pattern, hours, ...lists }, actions }: Values) {
  const anyHour = hours.from === '' && hours.until === '';
  return {
    name,
    type,
    priority,
    conditions: {
      ...lists,
      model_pattern: model_pattern.trim() || null,
      hours: anyHour ? null : { from: hours.from, until: hours.until, days: hours.days.map(Number) },
    },
    actions: {
      prefer_provider: type === 'routing' ? actions.prefer_provider : [],
      block_model: type === 'access' ? actions.block_model : [],
      max_tokens: type === 'budget' && actions.max_tokens !== '' ? Number(actions.max_tokens) : null,
    },
  };
}

type Props = { policy: Policy | null; keys: { id: string; name: string }[]; onClose: () => void; onSaved: () => void };

/** Makes a policy, or changes one. */
export function PolicyDialog({ policy, keys, onClose, onSaved }: Props) {
  const form = useForm({ initialValues: valuesOf(policy), validate: { name: isNotEmpty(t('Give it a name')) } });
  const save = useMutation({
    mutationFn: (values: Values) =>
      settle(api.POST('/api/policies', { params: { query: { wait: 'applied' } }, body: { ...bodyOf(values), ...(policy && { id: policy.id }) } })),
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('Policy {name} saved', { name }), applied);
      onSaved();
      onClose();
    },
    onError: (error, values) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], fieldPaths(values));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) showFailure(error);
    },
  });
  const { type } = form.values;
  return (
    <Dialog onClose={onClose} title={policy ? t('Policy {name}', { name: policy.name }) : t('New policy')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} data-autofocus {...form.getInputProps('name')} />
          <Select label={t('Type')} data={types} allowDeselect={false} {...form.getInputProps('type')} />
          {type === 'access' && (
            <TagsInput label={t('Refused models')} description={t('* is any text: demo/*.')} {...form.getInputProps('actions.block_model')} />
          )}
          {type === 'routing' && <TagsInput label={t('Providers to try first')} {...form.getInputProps('actions.prefer_provider')} />}
          {type === 'budget' && (
            <NumberInput label={t('Most tokens of an answer')} allowDecimal={false} {...form.getInputProps('actions.max_tokens')} />
          )}
          <TextInput label={t('Only for models')} placeholder={t('all; * is any text')} {...form.getInputProps('conditions.model_pattern')} />
          <MultiSelect
            label={t('Only for keys')}
            placeholder={t('all')}
            searchable
            limit={CHOICES}
            comboboxProps={{ keepMounted: false }}
            data={keys.map(({ id, name }) => ({ value: id, label: name }))}
            {...form.getInputProps('conditions.api_key_ids')}
          />
          <TagsInput label={t('Only for providers')} placeholder={t('all')} {...form.getInputProps('conditions.providers')} />
          <Group grow align="flex-start">
            <TextInput label={t('From, UTC')} placeholder="22:00" {...form.getInputProps('conditions.hours.from')} />
            <TextInput label={t('Until, UTC')} placeholder="06:00" {...form.getInputProps('conditions.hours.until')} />
          </Group>
          <MultiSelect
            label={t('On days')}
            placeholder={t('all')}
            data={weekdays.map((label, at) => ({ value: String(at + 1), label }))}
            {...form.getInputProps('conditions.hours.days')}
          />
          <NumberInput label={t('Priority')} description={t('Lower ones are asked first.')} allowDecimal={false} {...form.getInputProps('priority')} />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
