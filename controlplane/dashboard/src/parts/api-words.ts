import { t } from '../i18n';

/** What the management API calls things by a word of its own, in the reader's language. */
const WORDS: Record<string, string> = {
  // data planes
  ready: t('ready'),
  degraded: t('degraded'),
  draining: t('draining'),
  gone: t('gone'),
  // the gateway
  healthy: t('healthy'),
  unhealthy: t('unhealthy'),
  // connections
  active: t('active'),
  error: t('error'),
  expired: t('expired'),
  // what came of something
  success: t('success'),
  failed: t('failed'),
  denied: t('denied'),
  ok: t('ok'),
  timeout: t('took too long'),
  running: t('running'),
  finished: t('finished'),
  cancelled: t('cancelled'),
  lost: t('lost'),
  // why a backup was made
  manual: t('manual'),
  auto: t('auto'),
  'pre-write': t('pre-write'),
  'pre-restore': t('pre-restore'),
  'pre-import': t('pre-import'),
};

/** A word that is not known here, from a newer control plane perhaps, stays as it came. */
export const apiWord = (word: string) => WORDS[word] ?? word;
