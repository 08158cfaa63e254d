import { useDocumentVisibility } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { logQuery } from './log-query';
import type { RequestFilter } from '../request-filter';

/** Many requests are often accounted at once, and one look at the log finds them all. */
const GATHER_MS = 250;

/**
 * Looks at the log again when the management API tells that a request was accounted which passes the filter; whether it
 * does tell. It is not asked to while nobody looks at the page.
 */
export function useNews(wanted: boolean, filter: RequestFilter): boolean {
  const client = useQueryClient();
  const looking = useDocumentVisibility() !== 'hidden';
  const [connected, setConnected] = useState(false);
  const address = `/api/usage/stream?${logQuery(filter)}`;
  useEffect(() => {
    if (!wanted || !looking) return;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      waiting ??= setTimeout(() => {
        waiting = undefined;
        void client.invalidateQueries({ queryKey: ['request-logs'] });
      }, GATHER_MS);
    };
    const source = new EventSource(address);
    source.onopen = () => {
      setConnected(true);
      // what was accounted before is told to nobody
      look();
    };
    // by itself it tries again, unless it is refused
    source.onerror = () => setConnected(false);
    source.addEventListener('request', look);
    source.addEventListener('missed', look);
    return () => {
      source.close();
      clearTimeout(waiting);
      setConnected(false);
    };
  }, [wanted, looking, address, client]);
  return connected;
}
