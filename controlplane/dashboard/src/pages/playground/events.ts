/** The data of a stream, as JSON: of server-sent events, each with its datum in one line, or of lines that are data themselves, as Ollama writes them. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? '')).split('\n');
    rest = done ? '' : (lines.pop() ?? '');
    for (const line of lines) {
      const data = dataOf(line);
      if (data && data !== '[DONE]') yield JSON.parse(data);
    }
    if (done) return;
  }
}

function dataOf(line: string): string {
  if (line.startsWith('data:')) return line.slice('data:'.length).trim();
  return line.startsWith('{') ? line.trim() : '';
}
