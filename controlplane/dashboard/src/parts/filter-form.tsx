import { Button, Group, Select } from '@mantine/core';
import type { ReactNode } from 'react';
import { t } from '../i18n';

type Props = {
  /** What the fields say, by their names; one that is empty says ''. */
  onApply: (said: Record<string, unknown>) => void;
  onClear: () => void;
  children: ReactNode;
};

/**
 * The fields that a list is filtered by. They take effect with Enter or Apply: half a name finds nothing. Lists keep
 * their filter in the address, so that a finding can be passed on; a new address is a new form, by a `key`.
 */
export function FilterForm({ onApply, onClear, children }: Props) {
  return (
    <form
      role="search"
      aria-label={t('Filter')}
      onSubmit={(event) => {
        event.preventDefault();
        onApply(Object.fromEntries(new FormData(event.currentTarget)));
      }}
    >
      <Group align="flex-end" mb="lg" gap="sm">
        {children}
        <Button type="submit" variant="light">
          {t('Apply')}
        </Button>
        <Button variant="default" onClick={onClear}>
          {t('Clear')}
        </Button>
      </Group>
    </form>
  );
}

/** As many as a list to choose from shows at once: the others are found by what is typed. */
export const CHOICES = 50;

type ChoiceProps = {
  name: string;
  label: string;
  /** What the button says that takes the choice back. */
  any: string;
  value: string | undefined;
  data: (string | { value: string; label: string })[];
  width?: number;
};

/** A field of which one may be chosen, or none. */
export function FilterChoice({ name, label, any, value, data, width = 140 }: ChoiceProps) {
  return (
    <Select
      name={name}
      label={label}
      placeholder={t('any')}
      clearable
      clearButtonProps={{ 'aria-label': any }}
      // options are made when they are looked at: some are words of the API, and some are many
      comboboxProps={{ keepMounted: false }}
      data={data}
      // of many, what is typed chooses
      {...(data.length > CHOICES && { searchable: true, limit: CHOICES })}
      defaultValue={value ?? null}
      w={width}
    />
  );
}
