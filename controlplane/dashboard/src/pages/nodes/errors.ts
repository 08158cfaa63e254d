import { t } from '../../i18n';
import type { components } from '../../api/schema';

type Unusable = components['schemas']['UnusableResource'];

/** What a data plane could not use, in words. */
export function describe({ code, kind, id, message, quarantined }: Unusable): string {
  const what = [kind.toLowerCase().replaceAll('_', ' '), id].filter(Boolean).join(' ');
  const why = message || code.toLowerCase().replaceAll('_', ' ');
  const said = what ? `${what}: ${why}` : why;
  return quarantined ? t('{said} (left out, the rest is in use)', { said }) : said;
}
