import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';

/** Whether both planes are one process, which can be restarted and stopped and not drained. That does not change while one looks. */
export const singleProcessQuery = {
  queryKey: ['single-process'],
  staleTime: Infinity,
  queryFn: async (): Promise<boolean> => {
    // without its database the gateway answers 503, and still says so
    const { data, error } = await api.GET('/api/monitoring/health');
    const report = data ?? error;
    return report !== undefined && 'singleProcess' in report && report.singleProcess === true;
  },
};

/** Undefined until it is known. */
export const useSingleProcess = (): boolean | undefined => useQuery(singleProcessQuery).data;
