import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { t } from '../i18n';
import { showApplied } from './failure';

/** What takes a change back, and what is said once it has. */
export type Undo = { act: () => Promise<{ applied: string | null }>; done: string };

/** In the note about a change; the note goes when the change is taken back, and stays when that is refused. */
export function UndoButton({ note, undo: { act, done } }: { note: string; undo: Undo }) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: act,
    onSuccess: ({ applied }) => {
      notifications.hide(note);
      showApplied(done, applied);
    },
    // what came back may be shown on any page
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Button variant="light" size="compact-sm" loading={run.isPending} onClick={() => run.mutate()}>
      {t('Undo')}
    </Button>
  );
}
