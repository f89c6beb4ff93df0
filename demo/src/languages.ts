// languages - what the text can be highlighted as. Each parser is a file of its own, fetched when it
// is first needed.

import type { Extension } from "@codemirror/state";

export interface Language {
  id: string;
  label: string;
  /** Prose is set in a column and a text face, code in a fixed-width one with line numbers. */
  prose: boolean;
  extensions: RegExp;
  load: () => Promise<Extension>;
}

export const LANGUAGES: readonly Language[] = [
  {
    id: "markdown",
    label: "Markdown",
    prose: true,
    extensions: /\.(md|markdown)$/i,
    load: async () => (await import("./languages/markdown")).default,
  },
  {
    id: "plain",
    label: "Plain text",
    prose: true,
    extensions: /\.(txt|text)$/i,
    load: async () => [],
  },
  {
    id: "javascript",
    label: "JavaScript",
    prose: false,
    extensions: /\.[cm]?[jt]sx?$/i,
    load: async () => (await import("./languages/javascript")).default,
  },
  {
    id: "python",
    label: "Python",
    prose: false,
    extensions: /\.pyi?$/i,
    load: async () => (await import("./languages/python")).default,
  },
];

/** The language that was chosen for the room, or what its name says, or Markdown. */
export function findLanguage(chosen: unknown, room: string): Language {
  const fallback = LANGUAGES[0] as Language;
  return (
    LANGUAGES.find((language) => language.id === chosen) ??
    LANGUAGES.find((language) => language.extensions.test(room)) ??
    fallback
  );
}
