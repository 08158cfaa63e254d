/** In which language the dashboard speaks, and how it writes numbers and dates. */
export const languages = { en: 'English', id: 'Bahasa Indonesia' } as const;

export type Language = keyof typeof languages;

/** What somebody chose in this browser; without it, what the browser prefers. */
const STORED_AS = 'omniroute.language';

const isLanguage = (text: string | null | undefined): text is Language => text != null && text in languages;

export function chosenLanguage(store: Pick<Storage, 'getItem'> = localStorage): Language | null {
  try {
    const stored = store.getItem(STORED_AS);
    return isLanguage(stored) ? stored : null;
  } catch {
    // storage is switched off
    return null;
  }
}

/** Holds from the next time the page is loaded, for texts are read once. `null` is what the browser prefers. */
export function chooseLanguage(language: Language | null, store: Pick<Storage, 'setItem' | 'removeItem'> = localStorage): void {
  try {
    if (language === null) store.removeItem(STORED_AS);
    else store.setItem(STORED_AS, language);
  } catch {
    // full or switched off: the browser's preference holds
  }
}

/** The first preferred language that there is a catalogue for, `en-GB` and the like included. */
export function preferred(wishes: readonly string[]): Language {
  return wishes.map((wish) => wish.split('-')[0]?.toLowerCase()).find(isLanguage) ?? 'en';
}

/** The reader's own way to write numbers and dates, where it belongs to the language: `en-GB` rather than `en`. */
export function localeFor(language: Language, wishes: readonly string[]): string {
  return wishes.find((wish) => wish.split('-')[0]?.toLowerCase() === language) ?? language;
}

// outside a browser, as in tests that only want to format a number, there is no storage and perhaps no navigator
const wishes = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [navigator.language]);

export const language: Language = (typeof localStorage === 'undefined' ? null : chosenLanguage()) ?? preferred(wishes);
export const locale: string = localeFor(language, wishes);
