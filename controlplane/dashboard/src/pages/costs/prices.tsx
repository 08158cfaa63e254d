import {
  ActionIcon,
  Badge,
  Button,
  Code,
  Group,
  NumberInput,
  Select,
  Stack,
  Switch,
  Table,
  Text,
  TextInput,
  Title,
  Tooltip,
  VisuallyHidden,
} from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { modals } from '@mantine/modals';
import { IconArrowBackUp, IconPencil, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { rich, t } from '../../i18n';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import { Needs, mayAct, useRole } from '../../parts/authority';
import { Dialog } from '../../parts/dialog';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { dollars } from '../../parts/numbers';
import { Empty, Loaded } from '../../parts/states';
import { type Field, type PriceRow, type UnitField, fields, found, isOwn, priceRows, tokenFields, unitFields } from './rows';

const labels: Record<Field, string> = {
  input: t('In'),
  output: t('Out'),
  cached: t('Read from cache'),
  reasoning: t('Thinking'),
  cache_creation: t('Written to cache'),
  image: t('Picture'),
  audio_minute: t('Recording'),
  characters: t('Read out'),
  search: t('Search'),
};
const units: Record<UnitField, string> = {
  image: t('a picture'),
  audio_minute: t('a minute of a recording'),
  characters: t('per million characters read out'),
  search: t('a search'),
};
const isUnit = (field: Field): field is UnitField => unitFields.some((unit) => unit === field);
const caption = (field: Field) =>
  isUnit(field) ? t('{label}, USD {unit}', { label: labels[field], unit: units[field] }) : t('{label}, USD per million', { label: labels[field] });
/** A model with what its pictures are like. */
const PICTURE = 'dall-e-3#hd#1792x1024';
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
  const may = mayAct(useRole(), 'operator');
  const query = useQuery({ queryKey: ['pricing', 'rows'], queryFn: readPrices });
  const takeBack = useMutation({
    mutationFn: ({ provider, model }: PriceRow) => settle(api.DELETE('/api/pricing', { params: { query: { provider, model, ...wait } } })),
    onSuccess: ({ applied }) => showApplied(t('Price taken back'), applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['pricing'] }),
  });
  function confirmTakeBack(row: PriceRow) {
    modals.openConfirmModal({
      title: t('Take the price of {provider}/{model} back?', { provider: row.provider, model: row.model }),
      children: (
        <Text size="sm">{t('From now on requests cost what the built-in list says, or nothing if it says nothing. What was spent stays.')}</Text>
      ),
      labels: { confirm: t('Take it back'), cancel: t('Keep it') },
      confirmProps: { color: 'red' },
      onConfirm: () => takeBack.mutate(row),
    });
  }
  return (
    <section aria-label={t('Prices')}>
      <Title order={2} size="h4">
        {t('Prices')}
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        {rich(
          'USD per million tokens, or for what is not counted in tokens. Your own price stands over the built-in one. Pictures may cost by what they are like: write the quality, the size or both behind the model, as in {model}.',
          { model: <Code>{PICTURE}</Code> },
        )}
      </Text>
      {/* whoever may change nothing may search all the same */}
      <Group mb="sm" align="flex-end">
        <TextInput label={t('Search')} placeholder={t('provider or model')} value={words} onChange={(event) => setWords(event.currentTarget.value)} />
        <Switch label={t('Only my own')} checked={onlyOwn} onChange={(event) => setOnlyOwn(event.currentTarget.checked)} mb={8} />
        <Button ml="auto" leftSection={<IconPlus size={16} />} disabled={!may} onClick={() => setChanged(NEW)}>
          {t('Set a price')}
        </Button>
      </Group>
      <Needs role="operator">
        <Loaded query={query}>
          {(all) => {
            // those of one's own first: there are more of the others than are shown
            const [own, listed] = [all.filter(isOwn), all.filter((row) => !isOwn(row))];
            const rows = found(onlyOwn ? own : [...own, ...listed], words);
            if (rows.length === 0)
              return <Empty title={t('No such price')} hint={t('Search for something else, or set a price for a model of your own.')} />;
            return (
              <>
                <Table.ScrollContainer minWidth={860}>
                  <Table verticalSpacing="xs">
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('Model')}</Table.Th>
                        {tokenFields.map((field) => (
                          <Table.Th key={field} ta="right">
                            {labels[field]}
                          </Table.Th>
                        ))}
                        <Table.Th>{t('Not by tokens')}</Table.Th>
                        <Table.Th>
                          <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                        </Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows.slice(0, SHOWN).map((row) => (
                        <Row
                          key={`${row.provider}/${row.model}`}
                          row={row}
                          onChange={() => setChanged(row)}
                          onTakeBack={() => confirmTakeBack(row)}
                        />
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
                <Text size="xs" c="dimmed" mt="xs">
                  {rows.length > SHOWN
                    ? t('{SHOWN} of {length}: search for the others', { SHOWN, length: rows.length })
                    : t('{length} models', { length: rows.length })}
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
              {t('own')}
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
            <Tooltip label={t('Take back')}>
              <ActionIcon variant="subtle" color="red" onClick={onTakeBack} aria-label={t('Take the price of {name} back', { name })}>
                <IconArrowBackUp size={16} />
              </ActionIcon>
            </Tooltip>
          )}
          <Tooltip label={t('Set')}>
            <ActionIcon variant="subtle" onClick={onChange} aria-label={t('Set the price of {name}', { name })}>
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
    validate: { provider: isNotEmpty(t('Choose whose model it is')), model: isNotEmpty(t('Write the model')) },
  });
  const builtIn = defaults.data?.[form.values.provider]?.[form.values.model] as Partial<Record<Field, number>> | undefined;
  const save = useMutation({
    mutationFn: ({ provider, model, ...amounts }: typeof form.values) => {
      const price = Object.fromEntries(fields.map((field) => [field, amounts[field] === '' ? null : Number(amounts[field])]));
      return settle(api.PATCH('/api/pricing', { params: { query: wait }, body: { [provider]: { [model.trim()]: price } } }));
    },
    onSuccess: ({ applied }, { provider, model }) => {
      showApplied(t('Price of {provider}/{model} saved', { provider, model }), applied);
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
    <Dialog onClose={onClose} title={isNew ? t('Set a price') : t('Price of {provider}/{model}', { provider: row.provider, model: row.model })}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          {isNew && (
            <>
              <Select
                label={t('Provider')}
                searchable
                data={Object.values(known.data ?? {}).map(({ alias, name }) => ({ value: alias, label: name }))}
                {...form.getInputProps('provider')}
              />
              <TextInput label={t('Model')} description={t('Without the provider before it.')} {...form.getInputProps('model')} />
            </>
          )}
          {fields.map((field) => (
            <NumberInput
              key={field}
              label={caption(field)}
              placeholder={builtIn?.[field] === undefined ? t('no built-in price') : t('{builtIn} (built in)', { builtIn: builtIn[field] })}
              decimalScale={9}
              {...form.getInputProps(field)}
            />
          ))}
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
