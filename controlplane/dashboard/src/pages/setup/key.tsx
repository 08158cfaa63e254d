import { Alert, Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { ClientSnippets } from '../../parts/client-snippets';
import { SOME_KEY } from '../../parts/clients';
import { showApplied } from '../../parts/failure';
import { Snippet } from '../../parts/snippet';
import { StepHeading } from './heading';

/** Known only as long as the page stays open: the gateway stores a hash. */
export type MadeKey = { id: string; name: string; key: string };

type Props = { model: string; made: MadeKey | null; onMade: (key: MadeKey) => void; onNext: () => void };

/** What clients authenticate with, and what to paste where. */
export function KeyStep({ model, made, onMade, onNext }: Props) {
  return (
    <Stack>
      <StepHeading title={t('A key for your clients')}>{t('Whoever calls this gateway shows a key. Limits, costs and the log go by it.')}</StepHeading>
      {made ? (
        <>
          <Alert color="yellow">{t('Copy it now. It is not stored and cannot be shown again.')}</Alert>
          <Snippet text={made.key} label={t('API key')} />
        </>
      ) : (
        <NewKey onMade={onMade} />
      )}
      <ClientSnippets origin={window.location.origin} apiKey={made?.key ?? SOME_KEY} model={model} />
      <Group>
        <Button variant={made ? 'filled' : 'default'} onClick={onNext}>
          {made ? t('Continue') : t('I have a key')}
        </Button>
      </Group>
    </Stack>
  );
}

function NewKey({ onMade }: { onMade: (key: MadeKey) => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '' },
    validate: { name: (value) => (value.trim() ? null : t('A name tells you later whose key this is')) },
  });
  const create = useMutation({
    mutationFn: ({ name }: { name: string }) => settle(api.POST('/api/keys', { params: { query: { wait: 'applied' } }, body: { name: name.trim() } })),
    onSuccess: ({ data: { id, name, key }, applied }) => {
      showApplied(t('Key created'), applied);
      void client.invalidateQueries({ queryKey: ['keys'] });
      onMade({ id, name, key });
    },
  });
  return (
    <form aria-label={t('Key')} onSubmit={form.onSubmit((values) => create.mutate(values))}>
      <Group align="flex-start">
        <TextInput label={t('Name')} placeholder={t('ci, alice, checkout-service')} w={{ base: '100%', xs: 260 }} {...form.getInputProps('name')} />
        <Button type="submit" loading={create.isPending} mt={{ base: 0, xs: 25 }}>
          {t('Make a key')}
        </Button>
      </Group>
    </form>
  );
}
