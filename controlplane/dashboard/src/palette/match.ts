import type { Entry } from './entries';

/** From the best: how what is typed may be in a text. */
const WHOLE_START = 4;
const WORD_START = 3;
const INSIDE = 2;
/** All letters in their order, with others in between. */
const SCATTERED = 1;

/** Words that are not on the screen count half. */
const UNSEEN = 0.5;

function score(text: string, typed: string): number {
  if (text.startsWith(typed)) return WHOLE_START;
  const at = text.indexOf(typed);
  if (at > 0) return /[\s/_.-]/.test(text.charAt(at - 1)) ? WORD_START : INSIDE;
  let from = 0;
  for (const letter of typed) {
    const found = text.indexOf(letter, from);
    if (found < 0) return 0;
    from = found + 1;
  }
  return SCATTERED;
}

/** The entries that fit, the best first; equally good ones stay in their order. */
export function matching(entries: Entry[], search: string): Entry[] {
  const typed = search.trim().toLowerCase();
  const scored = entries.map((entry) => {
    const unseen = entry.words.map((word) => UNSEEN * score(word.toLowerCase(), typed));
    return { entry, best: Math.max(score(entry.label.toLowerCase(), typed), ...unseen) };
  });
  // letters scattered over a word that nobody sees are an accident
  return scored
    .filter(({ best }) => best > SCATTERED * UNSEEN)
    .sort((one, other) => other.best - one.best)
    .map(({ entry }) => entry);
}
