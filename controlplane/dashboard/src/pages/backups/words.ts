import { t } from '../../i18n';
import { decimal } from '../../parts/numbers';

const UNITS = [t('bytes'), 'KiB', 'MiB', 'GiB'];

/** The size of a file, in the largest unit that leaves a number to read. */
export function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const value = bytes / 1024 ** step;
  return `${decimal(value, step === 0 || value >= 100 ? 0 : 1)} ${UNITS[step]}`;
}
