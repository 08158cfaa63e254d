import { expect, test } from 'vitest';
import { events } from './events';

/** The text in pieces of so many bytes, as a network may deliver it. */
function inPieces(text: string, length: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += length) controller.enqueue(bytes.slice(at, at + length));
      controller.close();
    },
  });
}

const STREAM = 'event: a\r\ndata: {"n":1}\r\n\r\n: comment\n\ndata:{"n":"ü"}\n\ndata: [DONE]\n\ndata: {"n":3}';

test.each([1, 2, 7, 1_000])('events are read whole from pieces of %d bytes', async (length) => {
  const read: unknown[] = [];
  for await (const event of events(inPieces(STREAM, length))) read.push(event);
  expect(read).toEqual([{ n: 1 }, { n: 'ü' }, { n: 3 }]);
});

test('lines that are data themselves are read as such', async () => {
  const read: unknown[] = [];
  for await (const event of events(inPieces('{"n":1}\n{"n":2,"done":true}\n', 5))) read.push(event);
  expect(read).toEqual([{ n: 1 }, { n: 2, done: true }]);
});
