import { ActionIcon, Badge, Button, Code, Group, Modal, NumberInput, Select, Stack, Switch, Table, Text, TextInput, Title, Tooltip, VisuallyHidden } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { modals } from '@mantine/modals';
import { IconArrowBackUp, IconPencil, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import { Needs } from '../../parts/authority';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { dollars } from '../../parts/numbers';
import { Empty, Loaded } from '../../parts/states';
import { type Field, type PriceRow, type UnitField, fields, found, isOwn, priceRows, tokenFields, unitFields } from './rows';

const labels: Record<Field, string> = {
  input: 'In',
  output: 'Out',
  cached: 'Read from cache',
  reasoning: 'Thinking',
  cache_creation: 'Written to cache',
  image: 'Picture',
  audio_minute: 'Recording',
  characters: 'Read out',
  search: 'Search',
};
const units: Record<UnitField, string> = {
  image: 'a picture',
  audio_minute: 'a minute of a recording',
  characters: 'per million characters read out',
  search: 'a search',
};
const isUnit = (field: Field): field is UnitField => unitFields.some((unit) => unit === field);
const caption = (field: Field) => `${labels[field]}, USD ${isUnit(field) ? units[field] : 'per million'}`;
/** More rows than anybody reads; the search finds the others. */
const SHOWN = 40;
const NEW: PriceRow = { provider: '', model: '', price: {} };
const wait = { wait: 'applied' } as const;

async function readPrices(): Promise<PriceRow[]> {
  const [pricing, known] = await Promise.all([
    unwrap(api.GET('/api/pricing', { params: { query: { source: true } } })),
    unwrap(api.GET('/api/pricing/models')),
  ]);
  return priceRows(pricing, known);
}

export function Prices() {
  const client = useQueryClient();
  const [words, setWords] = useState('');
  const [onlyOwn, setOnlyOwn] = useState(false);
  const [changed, setChanged] = useState<PriceRow | null>(null);
  const query = useQuery({ queryKey: ['pricing', 'rows'], queryFn: readPrices });
  const takeBack = useMutation({
    mutationFn: ({ provider, model }: PriceRow) => settle(api.DELETE('/api/pricing', { params: { query: { provider, model, ...wait } } })),
    onSuccess: ({ applied }) => showApplied('Price taken back', applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['pricing'] }),
  });
  function confirmTakeBack(row: PriceRow) {
    modals.openConfirmModal({
      title: `Take the price of ${row.provider}/${row.model} back?`,
      children: <Text size="sm">From now on requests cost what the built-in list says, or nothing if it says nothing. What was spent stays.</Text>,
      labels: { confirm: 'Take it back', cancel: 'Keep it' },
      confirmProps: { color: 'red' },
      onConfirm: () => takeBack.mutate(row),
    });
  }
  return (
    <section aria-label="Prices">
      <Title order={2} size="h4">
        Prices
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        USD per million tokens, or for what is not counted in tokens. Your own price stands over the built-in one. Pictures may cost by what they
        are like: write the quality, the size or both behind the model, as in <Code>dall-e-3#hd#1792x1024</Code>.
      </Text>
      <Needs role="operator">
        <Group mb="sm" align="flex-end">
          <TextInput label="Search" placeholder="provider or model" value={words} onChange={(event) => setWords(event.currentTarget.value)} />
          <Switch label="Only my own" checked={onlyOwn} onChange={(event) => setOnlyOwn(event.currentTarget.checked)} mb={8} />
          <Button ml="auto" leftSection={<IconPlus size={16} />} onClick={() => setChanged(NEW)}>
            Set a price
          </Button>
        </Group>
        <Loaded query={query}>
          {(all) => {
            const rows = found(onlyOwn ? all.filter(isOwn) : all, words);
            if (rows.length === 0) return <Empty title="No such price" hint="Search for something else, or set a price for a model of your own." />;
            return (
              <>
                <Table.ScrollContainer minWidth={860}>
                  <Table verticalSpacing="xs">
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>Model</Table.Th>
                        {tokenFields.map((field) => (
                          <Table.Th key={field} ta="right">
                            {labels[field]}
                          </Table.Th>
                        ))}
                        <Table.Th>Not by tokens</Table.Th>
                        <Table.Th>
                          <VisuallyHidden>Actions</VisuallyHidden>
                        </Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows.slice(0, SHOWN).map((row) => (
                        <Row key={`${row.provider}/${row.model}`} row={row} onChange={() => setChanged(row)} onTakeBack={() => confirmTakeBack(row)} />
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
                <Text size="xs" c="dimmed" mt="xs">
                  {rows.length > SHOWN ? `${SHOWN} of ${rows.length}: search for the others` : `${rows.length} models`}
                </Text>
              </>
            );
          }}
        </Loaded>
      </Needs>
      {changed && <PriceDialog row={changed} onClose={() => setChanged(null)} />}
    </section>
  );
}

function Row({ row, onChange, onTakeBack }: { row: PriceRow; onChange: () => void; onTakeBack: () => void }) {
  const name = `${row.provider}/${row.model}`;
  const own = isOwn(row);
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap="xs">
          <Code>{name}</Code>
          {own && (
            <Badge variant="light" tt="none">
              own
            </Badge>
          )}
        </Group>
      </Table.Td>
      {tokenFields.map((field) => {
        const amount = row.price[field];
        return (
          <Table.Td key={field} ta="right" fw={amount?.source === 'override' ? 700 : undefined}>
            {amount ? dollars(amount.value) : '–'}
          </Table.Td>
        );
      })}
      <Table.Td>
        {unitFields.map((field) => {
          const amount = row.price[field];
          return (
            amount && (
              <Text key={field} size="sm" fw={amount.source === 'override' ? 700 : undefined}>
                {dollars(amount.value)} {units[field]}
              </Text>
            )
          );
        })}
      </Table.Td>
      <Table.Td>
        <Group gap={4} justify="flex-end" wrap="nowrap">
          {own && (
            <Tooltip label="Take back">
              <ActionIcon variant="subtle" color="red" onClick={onTakeBack} aria-label={`Take the price of ${name} back`}>
                <IconArrowBackUp size={16} />
              </ActionIcon>
            </Tooltip>
          )}
          <Tooltip label="Set">
            <ActionIcon variant="subtle" onClick={onChange} aria-label={`Set the price of ${name}`}>
              <IconPencil size={16} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** An empty field goes by the built-in price, which is shown in it. */
function PriceDialog({ row, onClose }: { row: PriceRow; onClose: () => void }) {
  const client = useQueryClient();
  const isNew = row === NEW;
  const known = useQuery({ queryKey: ['pricing', 'models'], queryFn: () => unwrap(api.GET('/api/pricing/models')) });
  const defaults = useQuery({ queryKey: ['pricing', 'defaults'], queryFn: () => unwrap(api.GET('/api/pricing/defaults')) });
  const own = (field: Field): number | string => (row.price[field]?.source === 'override' ? row.price[field].value : '');
  const form = useForm({
    initialValues: {
      provider: row.provider,
      model: row.model,
      input: own('input'),
      output: own('output'),
      cached: own('cached'),
      reasoning: own('reasoning'),
      cache_creation: own('cache_creation'),
      image: own('image'),
      audio_minute: own('audio_minute'),
      characters: own('characters'),
      search: own('search'),
    },
    validate: { provider: isNotEmpty('Choose whose model it is'), model: isNotEmpty('Write the model') },
  });
  const builtIn = defaults.data?.[form.values.provider]?.[form.values.model] as Partial<Record<Field, number>> | undefined;
  const save = useMutation({
    mutationFn: ({ provider, model, ...amounts }: typeof form.values) => {
      const price = Object.fromEntries(fields.map((field) => [field, amounts[field] === '' ? null : Number(amounts[field])]));
      return settle(api.PATCH('/api/pricing', { params: { query: wait }, body: { [provider]: { [model.trim()]: price } } }));
    },
    onSuccess: ({ applied }, { provider, model }) => {
      showApplied(`Price of ${provider}/${model} saved`, applied);
      onClose();
      return client.invalidateQueries({ queryKey: ['pricing'] });
    },
    onError: (error, { provider, model }) => {
      const details = error instanceof ApiFailure ? error.details : [];
      const { errors, rest } = fieldErrors(details, [...fields], `${provider}.${model}`);
      // what is wrong with the price as a whole is said at its first field
      const whole = rest.find(({ field }) => field === `${provider}.${model}`);
      form.setErrors({ ...errors, ...(whole && { input: whole.message }) });
      if (Object.keys(errors).length === 0 && !whole) showFailure(error);
    },
  });
  return (
    <Modal opened onClose={onClose} title={isNew ? 'Set a price' : `Price of ${row.provider}/${row.model}`}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          {isNew && (
            <>
              <Select
                label="Provider"
                searchable
                data={Object.values(known.data ?? {}).map(({ alias, name }) => ({ value: alias, label: name }))}
                {...form.getInputProps('provider')}
              />
              <TextInput label="Model" description="Without the provider before it." {...form.getInputProps('model')} />
            </>
          )}
          {fields.map((field) => (
            <NumberInput
              key={field}
              label={caption(field)}
              placeholder={builtIn?.[field] === undefined ? 'no built-in price' : `${builtIn[field]} (built in)`}
              decimalScale={9}
              {...form.getInputProps(field)}
            />
          ))}
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
