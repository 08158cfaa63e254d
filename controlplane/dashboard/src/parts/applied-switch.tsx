import { Switch } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { showApplied } from './failure';

type Props = {
  label: string;
  checked: boolean;
  /** Tells the API, and how far that has got. */
  change: (checked: boolean) => Promise<{ applied: string | null }>;
  /** What is said when it is done. */
  done: (checked: boolean) => string;
  /** Reads anew what `checked` comes from. */
  onChanged: () => Promise<unknown>;
};

/**
 * Something that is on or off at once. It stands where it was put while the API is asked, and until the list behind it
 * has been read again; what is refused goes back by itself.
 */
export function AppliedSwitch({ label, checked, change, done, onChanged }: Props) {
  const move = useMutation({
    mutationFn: change,
    onSuccess: ({ applied }, to) => showApplied(done(to), applied),
    onSettled: onChanged,
    // whoever changes their mind meanwhile is heard second, and counts
    scope: { id: label },
  });
  return (
    <Switch checked={move.isPending ? move.variables : checked} onChange={(event) => move.mutate(event.currentTarget.checked)} aria-label={label} />
  );
}
