import { ActionIcon, Autocomplete, Button, Group, Input, NumberInput, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { IconPlus, IconScale, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { callableModelsQuery } from '../../parts/callable-models';
import { percent } from '../../parts/numbers';
import { Handle, Sorted, useMovable } from '../../parts/sorted';
import { type Draft, balanced, blank, shareOf } from './member';

type Form = UseFormReturnType<{ models: Draft[] }>;

/** Members in the order to try, moved by a pointer or by the keyboard. Weights are there where they count. */
export function MembersField({ form, weighted }: { form: Form; weighted: boolean }) {
  const members = form.values.models;
  const known = useQuery(callableModelsQuery);
  const named = members.map(({ id, model }, at) => ({ id, name: model || t('member {place}', { place: at + 1 }) }));
  return (
    <div role="group" aria-label={t('Members')}>
      <Input.Label>{t('Members')}</Input.Label>
      <Input.Description mb="xs">{weighted ? t('Who is asked first is drawn by weight.') : t('Drag them into the order to try.')}</Input.Description>
      <Sorted items={named} onMove={(from, to) => form.reorderListItem('models', { from, to })}>
        <Stack gap="xs">
          {members.map((member, position) => (
            <MemberRow key={member.id} id={member.id} form={form} position={position} weighted={weighted} choices={known.data ?? []} />
          ))}
        </Stack>
      </Sorted>
      {form.errors.models && <Input.Error mt="xs">{form.errors.models}</Input.Error>}
      <Group mt="xs" gap="xs">
        <Button variant="light" size="xs" leftSection={<IconPlus size={14} />} onClick={() => form.insertListItem('models', blank())}>
          {t('Another member')}
        </Button>
        {weighted && (
          <Button variant="default" size="xs" leftSection={<IconScale size={14} />} onClick={() => form.setFieldValue('models', balanced(members))}>
            {t('Balance weights')}
          </Button>
        )}
      </Group>
    </div>
  );
}

type RowProps = { id: string; form: Form; position: number; weighted: boolean; choices: string[] };

function MemberRow({ id, form, position, weighted, choices }: RowProps) {
  const { ref, style, handle } = useMovable(id);
  const members = form.values.models;
  const weight = members[position]?.weight ?? 0;
  return (
    <Group ref={ref} gap={4} wrap="nowrap" align="flex-start" style={style}>
      <Handle of={handle} label={t('Move member {position}', { position: position + 1 })} top={4} />
      <Autocomplete
        style={{ flex: 1 }}
        aria-label={t('Member {position}', { position: position + 1 })}
        placeholder={t('provider/model, a combo or an alias')}
        data={choices}
        limit={50}
        comboboxProps={{ keepMounted: false }}
        {...form.getInputProps(`models.${position}.model`)}
      />
      {weighted && (
        <>
          <NumberInput
            w={90}
            aria-label={t('Weight of member {position}', { position: position + 1 })}
            min={0}
            max={100}
            {...form.getInputProps(`models.${position}.weight`)}
            // an emptied field is no weight
            onChange={(next) => form.setFieldValue(`models.${position}.weight`, Number(next) || 0)}
          />
          <Text size="sm" c="dimmed" w={48} ta="right" mt={8}>
            {percent(shareOf(weight, members))}
          </Text>
        </>
      )}
      <ActionIcon
        variant="subtle"
        color="red"
        mt={4}
        disabled={members.length === 1}
        aria-label={t('Remove member {position}', { position: position + 1 })}
        onClick={() => form.removeListItem('models', position)}
      >
        <IconX size={16} />
      </ActionIcon>
    </Group>
  );
}
