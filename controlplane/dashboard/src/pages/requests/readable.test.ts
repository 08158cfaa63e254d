import { describe, expect, it } from 'vitest';
import { readable } from './readable';

describe('a body', () => {
  it.each([
    [null, null, null],
    ['data: {}\n\n', 'data: {}\n\n', null],
    [{ a: [1] }, '{\n  "a": [\n    1\n  ]\n}', null],
    [{ _truncated: true, _originalSize: 70000, _preview: '{"a' }, '{"a', 70000],
    ['<b>bold</b>', '<b>bold</b>', null],
  ])('%j is read as text', (body, text, cutFrom) => {
    expect(readable(body)).toEqual({ text, cutFrom });
  });
});
