import { t } from '../i18n';
/** How far a saved change has got; `applied` is the API's "acked/total", absent when nothing had to be told. */
export function wordApplied(applied: string | null): { everywhere: boolean; message: string } {
  const [acked, total] = applied?.split('/') ?? [];
  if (acked === undefined || total === undefined) return { everywhere: true, message: t('Saved.') };
  return { everywhere: acked === total, message: t('Applied on {acked} of {total} data planes.', { acked, total }) };
}
