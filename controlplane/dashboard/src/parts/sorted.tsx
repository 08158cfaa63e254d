import { DndContext, type DragEndEvent, KeyboardSensor, PointerSensor, closestCenter, useSensor, useSensors } from '@dnd-kit/core';
import { SortableContext, sortableKeyboardCoordinates, useSortable, verticalListSortingStrategy } from '@dnd-kit/sortable';
import { ActionIcon } from '@mantine/core';
import { IconGripVertical } from '@tabler/icons-react';
import type { CSSProperties, ReactNode } from 'react';
import { announcements, instructions } from './moving';

type Props = {
  /** In their order; a name is what is said aloud. */
  items: { id: string; name: string }[];
  onMove: (from: number, to: number) => void;
  disabled?: boolean;
  children: ReactNode;
};

/** Things that have an order, moved by a pointer or by the keyboard. Each is drawn with `useMovable`. */
export function Sorted({ items, onMove, disabled = false, children }: Props) {
  const sensors = useSensors(
    // a finger that only scrolls does not drag
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const at = (id: unknown) => items.findIndex((item) => item.id === id);
  function drop({ active, over }: DragEndEvent) {
    if (over && active.id !== over.id) onMove(at(active.id), at(over.id));
  }
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragEnd={drop}
      accessibility={{ announcements: announcements(items), screenReaderInstructions: { draggable: instructions } }}
    >
      <SortableContext items={items} strategy={verticalListSortingStrategy} disabled={disabled}>
        {children}
      </SortableContext>
    </DndContext>
  );
}

type Movable = { ref: (element: HTMLElement | null) => void; style: CSSProperties; handle: HandleProps };
type HandleProps = Pick<ReturnType<typeof useSortable>, 'attributes' | 'listeners' | 'setActivatorNodeRef' | 'isDragging'>;

/** What one of them wears: the row `ref` and `style`, its `Handle` the rest. */
export function useMovable(id: string): Movable {
  const { setNodeRef, transform, transition, isDragging, attributes, listeners, setActivatorNodeRef } = useSortable({ id });
  return {
    ref: setNodeRef,
    style: {
      transform: transform ? `translate3d(${transform.x}px, ${transform.y}px, 0)` : undefined,
      transition,
      ...(isDragging && { position: 'relative', zIndex: 1, background: 'var(--mantine-color-body)' }),
    },
    handle: { attributes, listeners, setActivatorNodeRef, isDragging },
  };
}

export function Handle({ of: { attributes, listeners, setActivatorNodeRef, isDragging }, label, top = 0 }: { of: HandleProps; label: string; top?: number }) {
  return (
    <ActionIcon
      {...attributes}
      {...listeners}
      ref={setActivatorNodeRef}
      variant="subtle"
      color="gray"
      mt={top}
      style={{ cursor: isDragging ? 'grabbing' : 'grab', touchAction: 'none' }}
      aria-label={label}
      // escape puts it back, and does not close the dialog around it
      data-mantine-stop-propagation={isDragging}
    >
      <IconGripVertical size={16} />
    </ActionIcon>
  );
}
