import { type CSSVariablesResolver, Modal, Notification, TableScrollContainer, createTheme } from '@mantine/core';
import { t } from './i18n';

/** The darkest shade: white text on it, and its own text on a tint, reach the contrast that WCAG AA asks for. */
const SHADE = 9;

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: SHADE,
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Modal: Modal.extend({
      defaultProps: {
        centered: true,
        closeButtonProps: { 'aria-label': t('Close') },
        // a <header> is the page's banner wherever it stands, and a page has one
        attributes: { header: { role: 'none' } },
      },
    }),
    // on a phone tables scroll sideways, which takes a focus for whoever has no finger or mouse
    TableScrollContainer: TableScrollContainer.extend({
      defaultProps: { scrollAreaProps: { viewportProps: { tabIndex: 0 } } },
    }),
    Notification: Notification.extend({
      defaultProps: { closeButtonProps: { 'aria-label': t('Dismiss') } },
      styles: { description: { color: 'var(--mantine-color-dimmed)' } },
    }),
  },
});

/** Under the pointer a button gets darker: Mantine would make it lighter, for want of a darker shade, and too faint. */
const hovered = Object.fromEntries(
  ['teal', 'red'].map((color) => [
    `--mantine-color-${color}-filled-hover`,
    `color-mix(in srgb, var(--mantine-color-${color}-${SHADE}), black 15%)`,
  ]),
);

/** Mantine's own greys, red and tints are too faint to read text by. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...hovered,
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-7)',
    '--mantine-color-error': `var(--mantine-color-red-${SHADE})`,
    '--mantine-color-teal-light': 'var(--mantine-color-teal-0)',
    '--mantine-color-teal-light-hover': 'var(--mantine-color-teal-0)',
  },
  dark: {
    ...hovered,
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-1)',
    '--mantine-color-error': 'var(--mantine-color-red-4)',
  },
});
