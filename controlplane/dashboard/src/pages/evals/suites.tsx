import { Accordion, Button, Group, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { confirmDelete } from '../../parts/confirm';
import { Dialog } from '../../parts/dialog';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { Rows } from '../../parts/rows';

type Suite = components['schemas']['EvalSuite'];
type Case = components['schemas']['EvalCase'];

export function Suites({ suites }: { suites: Suite[] }) {
  const client = useQueryClient();
  const [creating, setCreating] = useState(false);
  const remove = useMutation({
    mutationFn: (suiteId: string) => unwrap(api.DELETE('/api/evals/{suiteId}', { params: { path: { suiteId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['evals'] }),
  });
  return (
    <section aria-label={t('Suites')}>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4">
          {t('Suites')}
        </Title>
        <Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
          {t('New suite')}
        </Button>
      </Group>
      <Accordion variant="contained" order={3}>
        {suites.map(({ id, name, description, builtin, cases }) => (
          <Accordion.Item key={id} value={id}>
            <Accordion.Control>
              {name}, {cases.length} {cases.length === 1 ? t('case') : t('cases')}
              {builtin ? '' : t(', your own')}
            </Accordion.Control>
            <Accordion.Panel>
              <Stack>
                {description && <Text size="sm">{description}</Text>}
                <Table.ScrollContainer minWidth={480}>
                  <Table>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('Case')}</Table.Th>
                        <Table.Th>{t('Question')}</Table.Th>
                        <Table.Th>{t('Expected')}</Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {cases.map((each) => (
                        <Table.Tr key={each.id}>
                          <Table.Td>{each.name}</Table.Td>
                          <Table.Td>{question(each)}</Table.Td>
                          <Table.Td>{each.expected ? `${each.expected.strategy}: ${each.expected.value}` : '–'}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
                {!builtin && (
                  <Button
                    color="red"
                    variant="light"
                    size="xs"
                    w="fit-content"
                    onClick={() => confirmDelete(name, t('What its runs found out stays.'), () => remove.mutate(id))}
                  >
                    {t('Delete {name}', { name })}
                  </Button>
                )}
              </Stack>
            </Accordion.Panel>
          </Accordion.Item>
        ))}
      </Accordion>
      {creating && <NewSuite taken={suites.map(({ id }) => id)} onClose={() => setCreating(false)} />}
    </section>
  );
}

/** The newest thing that is said to the model. */
function question({ input }: Case): string {
  const content = input.messages.at(-1)?.content;
  return typeof content === 'string' ? content : JSON.stringify(content);
}

const idOf = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

/** `taken`: a suite is saved under its name, and would replace one that has the same. */
function NewSuite({ taken, onClose }: { taken: string[]; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '', description: '', cases: [{ question: '', answer: '' }] },
    validate: {
      name: (name) => (idOf(name) === '' ? t('Give it a name') : taken.includes(idOf(name)) ? t('There is one of this name already') : null),
      cases: (cases) => (cases.every((each) => each.question.trim() && each.answer.trim()) ? null : t('Each case needs a question and what the answer must contain')),
    },
  });
  const save = useMutation({
    mutationFn: ({ name, description, cases }: typeof form.values) =>
      settle(
        api.PUT('/api/evals/{suiteId}', {
          params: { path: { suiteId: idOf(name) }, query: { wait: 'applied' } },
          body: {
            name,
            description,
            cases: cases.map(({ question, answer }, at) => ({
              id: `case-${at + 1}`,
              name: question.slice(0, 60),
              input: { messages: [{ role: 'user', content: question }] },
              expected: { strategy: 'contains', value: answer },
            })),
          },
        }),
      ),
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('Suite {name} saved', { name }), applied);
      onClose();
      return client.invalidateQueries({ queryKey: ['evals'] });
    },
    onError: (error, values) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], Object.keys(values));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) showFailure(error);
    },
  });
  return (
    <Dialog onClose={onClose} title={t('New suite')} size="lg">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} data-autofocus {...form.getInputProps('name')} />
          <TextInput label={t('Description')} placeholder={t('optional')} {...form.getInputProps('description')} />
          <Rows
            label={t('Cases')}
            description={t('A question, and what a right answer contains.')}
            value={form.values.cases}
            onChange={(rows) => form.setFieldValue('cases', rows)}
            error={form.errors.cases}
            blank={{ question: '', answer: '' }}
            columns={[
              { name: 'question', label: t('Question') },
              { name: 'answer', label: t('Contains') },
            ]}
          />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
