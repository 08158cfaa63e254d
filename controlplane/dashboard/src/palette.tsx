import { Group, Kbd, Modal, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { rich, t } from './i18n';
import { type Entry, grouped, namedEntriesQuery, pageEntries } from './palette/entries';
import { matching } from './palette/match';
import { readRecent, remember } from './palette/recent';
import classes from './palette.module.css';

/** Of each kind: a letter more finds the others. */
const SHOWN = 50;

/**
 * Goes anywhere by a few letters: to pages, and to what the operator gave a name. The focus stays where one types; which
 * result is chosen is told with `aria-activedescendant`.
 */
export default function Palette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [search, setSearch] = useState('');
  const [active, setActive] = useState(0);
  const [recent] = useState(() => readRecent());
  const named = useQuery(namedEntriesQuery);
  const id = useId();

  const entries = [...pageEntries, ...(named.data ?? [])];
  const found = search.trim() ? matching(entries, search) : [];
  const all: [string, Entry[]][] = search.trim() ? (found.length > 0 ? [[t('Found'), found]] : []) : grouped(entries, recent);
  const groups = all.map(([kind, members]): [string, Entry[]] => [kind, members.slice(0, SHOWN)]);
  const shown = groups.flatMap(([, members]) => members);
  const chosen = shown[Math.min(active, shown.length - 1)];

  function choose({ id, to }: Entry) {
    remember(id);
    onClose();
    void navigate({ to });
  }
  function move(event: KeyboardEvent) {
    const to: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: shown.length - 1 };
    const next = to[event.key];
    // while letters are composed, the keys belong to that
    if (event.nativeEvent.isComposing) return;
    if (next !== undefined && shown.length > 0) {
      event.preventDefault();
      setActive((next + shown.length) % shown.length);
    } else if (event.key === 'Enter' && chosen) {
      event.preventDefault();
      choose(chosen);
    }
  }

  return (
    <Modal.Root opened onClose={onClose} padding={0} size="lg" centered={false} yOffset="10vh" transitionProps={{ duration: 0 }}>
      <Modal.Overlay />
      <Modal.Content aria-label={t('Go to')}>
        <input
          data-autofocus
          role="combobox"
          aria-label={t('Search')}
          aria-expanded
          aria-autocomplete="list"
          aria-controls={`${id}-list`}
          aria-activedescendant={chosen && `${id}-${chosen.id}`}
          autoComplete="off"
          spellCheck={false}
          placeholder={t('A page, a provider, a combo, a key, an alias')}
          className={classes.search}
          value={search}
          onChange={(event) => {
            setSearch(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={move}
        />
        <div role="listbox" id={`${id}-list`} aria-label={t('Results')} className={classes.list}>
          {groups.map(([kind, members]) => (
            <div role="group" aria-label={kind} key={kind}>
              <div className={classes.kind} aria-hidden>
                {kind}
              </div>
              {members.map((entry) => (
                <Option
                  key={entry.id}
                  id={`${id}-${entry.id}`}
                  entry={entry}
                  chosen={entry === chosen}
                  onHover={() => setActive(shown.indexOf(entry))}
                  onChoose={() => choose(entry)}
                />
              ))}
            </div>
          ))}
        </div>
        <Group className={classes.footer} gap="md" wrap="nowrap">
          <Text size="xs" c="dimmed" visibleFrom="xs">
            {rich('{up} {down} choose, {enter} go, {escape} close', {
              up: <Kbd size="xs">↑</Kbd>,
              down: <Kbd size="xs">↓</Kbd>,
              enter: <Kbd size="xs">{t('Enter')}</Kbd>,
              escape: <Kbd size="xs">{t('Esc')}</Kbd>,
            })}
          </Text>
          <Text size="xs" c="dimmed" role="status">
            {said(all.reduce((sum, [, members]) => sum + members.length, 0), named)}
          </Text>
        </Group>
      </Modal.Content>
    </Modal.Root>
  );
}

function said(count: number, { isPending, isError }: { isPending: boolean; isError: boolean }): string {
  if (isPending) return t('Names are on their way.');
  if (isError) return t('Names could not be loaded: only pages are found.');
  return count === 0 ? t('Nothing fits.') : t('{count} to choose from', { count });
}

type OptionProps = { id: string; entry: Entry; chosen: boolean; onHover: () => void; onChoose: () => void };

function Option({ id, entry: { label, hint, icon: Icon }, chosen, onHover, onChoose }: OptionProps) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  return (
    <div
      role="option"
      id={id}
      ref={element}
      aria-selected={chosen}
      className={classes.option}
      // a pointer that rests while the list scrolls below it chooses nothing
      onMouseMove={chosen ? undefined : onHover}
      onClick={onChoose}
    >
      <Icon size={16} aria-hidden />
      <span className={classes.label}>{label}</span>
      {hint && <span className={classes.hint}>{hint}</span>}
    </div>
  );
}
