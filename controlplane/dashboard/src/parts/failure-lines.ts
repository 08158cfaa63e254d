type Detail = { field: string; message: string };

/** What a refusal says, a line each and nothing twice: one about a single field often is its sentence, too. */
export function failureLines(message: string, details: Detail[]): string[] {
  const unsaid = details.filter((detail) => !message.includes(detail.message));
  return [...new Set([message, ...unsaid.map((detail) => `${detail.field}: ${detail.message}`)])];
}
