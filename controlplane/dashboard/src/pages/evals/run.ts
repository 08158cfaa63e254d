import { t } from '../../i18n';
import type { components } from '../../api/schema';

export type Run = components['schemas']['EvalRun'];

/** What a run found about a case; the API describes it in words only. */
export type CaseResult = {
  caseId: string;
  caseName: string;
  passed: boolean;
  durationMs?: number;
  error?: string;
  details?: { actual?: string; expected?: string; strategy?: string };
};

export const resultsOf = (run: Run) => run.results as CaseResult[];

/** Who was asked. */
export function targetName(target: Record<string, unknown>): string {
  if (target.type === 'suite-default') return t('as each case says');
  const id = String(target.id ?? '');
  return target.type === 'combo' ? t('combo {name}', { name: id }) : id;
}

/** The cases of runs that are compared, with what each run found; a run that is not there yet found nothing. */
export function sideBySide(runs: Run[]): { id: string; name: string; found: (CaseResult | undefined)[] }[] {
  const names = new Map(runs.flatMap(resultsOf).map(({ caseId, caseName }) => [caseId, caseName]));
  return [...names].map(([id, name]) => ({ id, name, found: runs.map((run) => resultsOf(run).find(({ caseId }) => caseId === id)) }));
}
