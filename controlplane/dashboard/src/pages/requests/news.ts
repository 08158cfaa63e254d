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
    let again = false;
    let closed = false;
    // one look at a time: the next would break off the one before, and on a busy gateway none would ever come to its end
    const look = () => {
      if (waiting !== undefined) {
        again = true;
        return;
      }
      waiting = setTimeout(() => {
        again = false;
        void client.invalidateQueries({ queryKey: ['request-logs'] }).finally(() => {
          waiting = undefined;
          if (again && !closed) look();
        });
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
      closed = true;
      source.close();
      clearTimeout(waiting);
      setConnected(false);
    };
  }, [wanted, looking, address, client]);
  return connected;
}
