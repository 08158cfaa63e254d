import { Accordion, MultiSelect, NumberInput, SimpleGrid, Stack, Switch, TagsInput, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { CHOICES } from '../../parts/filter-form';
import { Rows } from '../../parts/rows';
import type { KeyValues } from './values';

const SCOPES = [
  { value: 'inference', label: t('inference: asks models') },
  { value: 'read', label: t('read: looks at usage and settings') },
  { value: 'manage', label: t('manage: changes the gateway') },
  { value: 'cloud', label: t('cloud: a copy of this gateway elsewhere') },
];

/** What the API may have something to say about. */
export const FIELDS = ['name', 'allowedModels', 'allowedConnections', 'scopes', 'expiresAt', 'rpm', 'tpm', 'concurrency', 'rateLimits', 'noLog'];

/** Everything about a key. What few keys need is folded away. */
export function KeyFields({ form, unfolded }: { form: UseFormReturnType<KeyValues>; unfolded: boolean }) {
  const [open, setOpen] = useState<string | null>(unfolded ? 'limits' : null);
  // what is wrong in there would not be seen
  const wrong = Object.keys(form.errors).some((field) => !['name', 'allowedModels'].includes(field));
  const connections = useQuery({
    queryKey: ['providers', 'names'],
    queryFn: async () => (await unwrap(api.GET('/api/providers'))).connections,
  });
  return (
    <>
      <TextInput label={t('Name')} placeholder={t('ci, alice, checkout-service')} data-autofocus {...form.getInputProps('name')} />
      <TagsInput
        label={t('Allowed models')}
        description={t("Patterns such as openai/* or a combo's name. Empty allows all.")}
        {...form.getInputProps('allowedModels')}
      />
      <Accordion variant="contained" value={wrong ? 'limits' : open} onChange={setOpen}>
        <Accordion.Item value="limits">
          <Accordion.Control>{t('Limits, scopes and an end')}</Accordion.Control>
          <Accordion.Panel>
            <Stack>
              <TextInput
                type="datetime-local"
                label={t('Ends')}
                description={t('From then on it is refused. Empty: it does not end.')}
                {...form.getInputProps('expiresAt')}
              />
              <SimpleGrid cols={{ base: 1, xs: 3 }}>
                <NumberInput label={t('Requests per minute')} placeholder={t('no limit')} allowDecimal={false} {...form.getInputProps('rpm')} />
                <NumberInput label={t('Tokens per minute')} placeholder={t('no limit')} allowDecimal={false} {...form.getInputProps('tpm')} />
                <NumberInput label={t('Requests at a time')} placeholder={t('no limit')} allowDecimal={false} {...form.getInputProps('concurrency')} />
              </SimpleGrid>
              <Rows
                label={t('Further limits')}
                description={t('At most so many requests in so many seconds; each of them counts.')}
                value={form.values.rateLimits}
                onChange={(rows) => form.setFieldValue('rateLimits', rows)}
                error={form.errors.rateLimits}
                blank={{ limit: 1_000, window: 3_600 }}
                columns={[
                  { name: 'limit', label: t('Requests') },
                  { name: 'window', label: t('Seconds') },
                ]}
              />
              <MultiSelect
                label={t('Allowed connections')}
                description={t('Only these accounts answer it. Empty allows all.')}
                searchable
                limit={CHOICES}
                comboboxProps={{ keepMounted: false }}
                data={(connections.data ?? []).map(({ id, name, email, provider }) => ({ value: id, label: `${name ?? email ?? id} (${provider})` }))}
                {...form.getInputProps('allowedConnections')}
              />
              <MultiSelect label={t('Scopes')} data={SCOPES} {...form.getInputProps('scopes')} />
              <Switch
                label={t('Leave its requests out of the log')}
                description={t('They are counted, and listed nowhere.')}
                {...form.getInputProps('noLog', { type: 'checkbox' })}
              />
            </Stack>
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </>
  );
}
