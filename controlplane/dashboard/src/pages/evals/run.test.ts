import { expect, test } from 'vitest';
import { type Run, sideBySide, targetName } from './run';

function run(runId: string, results: Record<string, unknown>[]): Run {
  const summary = { total: 2, passed: 0, failed: 0, passRate: 0 };
  return { runId, results, summary, suiteId: 's', suiteName: 'S', status: 'running', startedAt: '2026-01-01T00:00:00Z', target: {} };
}

test('a case that only one run has reached stands beside a gap', () => {
  const first = run('1', [{ caseId: 'a', caseName: 'A', passed: true }, { caseId: 'b', caseName: 'B', passed: false }]);
  const second = run('2', [{ caseId: 'b', caseName: 'B', passed: true }]);
  const seen = sideBySide([first, second]).map(({ name, found }) => [name, ...found.map((result) => result?.passed)]);
  expect(seen).toEqual([
    ['A', true, undefined],
    ['B', false, true],
  ]);
});

test.each([
  [{ type: 'suite-default' }, 'as each case says'],
  [{ type: 'model', id: 'demo/demo' }, 'demo/demo'],
  [{ type: 'combo', id: 'smart' }, 'combo smart'],
])('%j is called %s', (target, name) => {
  expect(targetName(target)).toBe(name);
});
