import { Group, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { t } from '../i18n';
import { ApiFailure } from '../api/client';
import { wordApplied } from './applied';
import { failureLines } from './failure-lines';
import { type Undo, UndoButton } from './undo-button';

/** Long enough to read a note, find its button and change one's mind. */
const UNDO_MS = 20_000;

/** Says what went wrong, with the code and the id that finds it in the logs. */
export function FailureText({ error }: { error: unknown }) {
  if (!(error instanceof ApiFailure)) return <Text size="sm">{String(error)}</Text>;
  return (
    <>
      {failureLines(error.message, error.details).map((line) => (
        <Text size="sm" key={line}>
          {line}
        </Text>
      ))}
      <Text size="xs" c="dimmed">
        {error.code}
        {error.correlationId ? ` · ${error.correlationId}` : ''}
      </Text>
    </>
  );
}

export function showFailure(error: unknown) {
  notifications.show({ color: 'red', title: t('That did not work'), message: <FailureText error={error} />, autoClose: 8_000 });
}

/** After a save: how many data planes already run it, and what takes it back where something does. */
export function showApplied(what: string, applied: string | null, undo?: Undo) {
  const { everywhere, message } = wordApplied(applied);
  const note = { color: everywhere ? 'teal' : 'yellow', title: what };
  if (!undo) {
    notifications.show({ ...note, message });
    return;
  }
  const id = crypto.randomUUID?.() ?? `${Math.random()}`;
  notifications.show({
    ...note,
    id,
    message: (
      <Group justify="space-between" gap="xs">
        {message}
        <UndoButton note={id} undo={undo} />
      </Group>
    ),
    autoClose: UNDO_MS,
  });
}
