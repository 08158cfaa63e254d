import { expect, test } from 'vitest';
import { mayAct, roles } from './authority';

test('a role may do what those below it may, and nothing of those above', () => {
  for (const [own, role] of roles.entries())
    for (const [needed, other] of roles.entries()) expect(mayAct(role, other)).toBe(own >= needed);
});
