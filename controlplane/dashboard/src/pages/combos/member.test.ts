import { expect, test } from 'vitest';
import { balanced, blank, draftOf, membersOf, modelOf, shareOf, weightOf } from './member';

test('a member is read with and without a weight', () => {
  expect([modelOf('a/b'), weightOf('a/b')]).toEqual(['a/b', 0]);
  expect([modelOf({ model: 'a/b', weight: 30 }), weightOf({ model: 'a/b', weight: 30 })]).toEqual(['a/b', 30]);
});

test('what was read is what is saved, without the rows that are empty', () => {
  const members = ['a/b', { model: 'c/d', weight: 12.5 }, 'e'];
  expect(membersOf([...members.map(draftOf), blank(' ')])).toEqual(members);
});

test('balanced weights add up to 100 and differ by one at most', () => {
  for (let count = 1; count <= 30; count += 1) {
    const weights = balanced(Array.from({ length: count }, () => ({ weight: 7 }))).map(({ weight }) => weight);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(100);
    expect(Math.max(...weights) - Math.min(...weights)).toBeLessThanOrEqual(1);
  }
});

test('a share is a part of all weights, and nothing where there are none', () => {
  expect(shareOf(30, [{ weight: 30 }, { weight: 90 }])).toBe(0.25);
  expect(shareOf(0, [{ weight: 0 }])).toBe(0);
});
