import { t } from '../i18n';
import type { Health } from './health';

/**
 * What of the gateway itself does not work, and what that means for whoever looks at a page now. A provider that fails
 * is no outage of the gateway: the page of health has it.
 */
export function gatewayOutages(health: Health | undefined, unreachable: boolean): string[] {
  if (unreachable) return [t('The control plane does not answer. What is shown may be old, and nothing can be saved. Data planes go on serving.')];
  if (!health) return [];
  if (!('postgres' in health))
    return health.status === 'unhealthy' ? [t('The database does not answer: nothing can be saved. Data planes go on serving.')] : [];
  const { postgres, redis, dataPlanes } = health;
  return [
    ...(postgres.ok ? [] : [t('The database does not answer: nothing can be saved. Data planes go on serving.')]),
    ...(redis.ok
      ? []
      : [t('The state store does not answer: each data plane keeps to its share of every limit, and knows only its own cache and what failed on it.')]),
    ...(postgres.ok && !dataPlanes.some(({ status }) => status === 'ready') ? [t('No data plane is ready: requests of clients are not served.')] : []),
  ];
}
