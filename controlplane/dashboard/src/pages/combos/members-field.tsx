import { DndContext, type DragEndEvent, KeyboardSensor, PointerSensor, closestCenter, useSensor, useSensors } from '@dnd-kit/core';
import { SortableContext, sortableKeyboardCoordinates, useSortable, verticalListSortingStrategy } from '@dnd-kit/sortable';
import { ActionIcon, Autocomplete, Button, Group, Input, NumberInput, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { IconGripVertical, IconPlus, IconScale, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { callableModelsQuery } from '../../parts/callable-models';
import { announcements, instructions } from '../../parts/moving';
import { percent } from '../../parts/numbers';
import { type Draft, balanced, blank, shareOf } from './member';

type Form = UseFormReturnType<{ models: Draft[] }>;

/** Members in the order to try, moved by a pointer or by the keyboard. Weights are there where they count. */
export function MembersField({ form, weighted }: { form: Form; weighted: boolean }) {
  const members = form.values.models;
  const known = useQuery(callableModelsQuery);
  const sensors = useSensors(
    // a finger that only scrolls does not drag
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const named = members.map(({ id, model }, at) => ({ id, name: model || t('member {place}', { place: at + 1 }) }));
  const at = (id: unknown) => members.findIndex((member) => member.id === id);
  function drop({ active, over }: DragEndEvent) {
    if (over && active.id !== over.id) form.reorderListItem('models', { from: at(active.id), to: at(over.id) });
  }
  return (
    <div role="group" aria-label={t('Members')}>
      <Input.Label>{t('Members')}</Input.Label>
      <Input.Description mb="xs">{weighted ? t('Who is asked first is drawn by weight.') : t('Drag them into the order to try.')}</Input.Description>
      <DndContext
        sensors={sensors}
        collisionDetection={closestCenter}
        onDragEnd={drop}
        accessibility={{ announcements: announcements(named), screenReaderInstructions: { draggable: instructions } }}
      >
        <SortableContext items={members} strategy={verticalListSortingStrategy}>
          <Stack gap="xs">
            {members.map((member, position) => (
              <MemberRow key={member.id} id={member.id} form={form} position={position} weighted={weighted} choices={known.data ?? []} />
            ))}
          </Stack>
        </SortableContext>
      </DndContext>
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
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition, isDragging } = useSortable({ id });
  const members = form.values.models;
  const weight = members[position]?.weight ?? 0;
  return (
    <Group
      ref={setNodeRef}
      gap={4}
      wrap="nowrap"
      align="flex-start"
      style={{
        transform: transform ? `translate3d(${transform.x}px, ${transform.y}px, 0)` : undefined,
        transition,
        ...(isDragging && { position: 'relative', zIndex: 1, background: 'var(--mantine-color-body)' }),
      }}
    >
      <ActionIcon
        {...attributes}
        {...listeners}
        ref={setActivatorNodeRef}
        variant="subtle"
        color="gray"
        mt={4}
        style={{ cursor: isDragging ? 'grabbing' : 'grab', touchAction: 'none' }}
        aria-label={t('Move member {position}', { position: position + 1 })}
        // escape puts the member back, and does not close the dialog
        data-mantine-stop-propagation={isDragging}
      >
        <IconGripVertical size={16} />
      </ActionIcon>
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
