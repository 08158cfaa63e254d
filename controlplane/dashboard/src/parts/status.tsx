import { Badge } from '@mantine/core';

/** What a client got. */
export function StatusBadge({ status, error }: { status: number; error?: string | null | undefined }) {
  return (
    <Badge variant="light" color={status < 400 ? 'teal' : 'red'} title={error ?? undefined}>
      {status}
    </Badge>
  );
}
