import { Code, Table, VisuallyHidden } from '@mantine/core';
import type { ReactNode } from 'react';
import { t } from '../../i18n';

type Row = { name: string; target: ReactNode; actions: ReactNode };

/** Names that clients may write, and where each leads. `of` and `leads` head the columns. */
export function NamesTable({ of, leads, rows }: { of: string; leads: string; rows: Row[] }) {
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{of}</Table.Th>
            <Table.Th>{leads}</Table.Th>
            <Table.Th>
              <VisuallyHidden>{t('Actions')}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ name, target, actions }) => (
            <Table.Tr key={name}>
              <Table.Td>
                <Code>{name}</Code>
              </Table.Td>
              <Table.Td>{target}</Table.Td>
              <Table.Td ta="right">{actions}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
