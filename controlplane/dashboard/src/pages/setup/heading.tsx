import { Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

/** What a step is for. */
export function StepHeading({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <Title order={2} size="h3">
        {title}
      </Title>
      <Text c="dimmed">{children}</Text>
    </div>
  );
}
