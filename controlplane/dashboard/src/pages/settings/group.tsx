import { Card, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Needs, type Role } from '../../parts/authority';

export function Section({ title, hint, role, children }: { title: string; hint: string; role: Role; children: ReactNode }) {
  return (
    <Card withBorder component="section" aria-label={title}>
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        {hint}
      </Text>
      <Needs role={role}>{children}</Needs>
    </Card>
  );
}
