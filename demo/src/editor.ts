// editor - CodeMirror on the shared text. It knows the document and the awareness, and nothing of
// connections: what may be edited is told to it.

import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
  type Command,
} from "@codemirror/view";
import { classHighlighter, tagHighlighter, tags } from "@lezer/highlight";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { cursors, readCursor } from "./cursors";
import type { Language } from "./languages";

export interface Position {
  line: number;
  column: number;
  selected: number;
  length: number;
}

export class Editor {
  readonly view: EditorView;
  #text: Y.Text;
  #awareness: Awareness;
  #language = new Compartment();
  #face = new Compartment();
  #access = new Compartment();
  #wanted = "";

  constructor(
    parent: HTMLElement,
    text: Y.Text,
    awareness: Awareness,
    onPosition: (position: Position) => void,
  ) {
    this.#text = text;
    this.#awareness = awareness;
    this.view = new EditorView({
      parent,
      doc: text.toString(),
      extensions: [
        // Yjs counts every character. A line break of two would count as one here, and everything
        // after it would be off by one: they stay apart, and pasted ones become one.
        EditorState.lineSeparator.of("\n"),
        EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, "\n")),
        EditorState.tabSize.of(4),
        highlightSpecialChars(),
        drawSelection(),
        dropCursor(),
        indentOnInput(),
        bracketMatching(),
        highlightActiveLine(),
        EditorView.lineWrapping,
        syntaxHighlighting(classHighlighter),
        syntaxHighlighting(proseHighlighter),
        EditorView.contentAttributes.of({ "aria-label": "The text of this room" }),
        this.#access.of(reading),
        this.#language.of([]),
        this.#face.of([]),
        keymap.of([{ key: "Mod-f", run: openSearch }, ...yUndoManagerKeymap, ...defaultKeymap]),
        yCollab(text, null, { undoManager: new Y.UndoManager(text) }),
        cursors(awareness, text),
        EditorView.updateListener.of((update) => {
          if (update.docChanged || update.selectionSet) onPosition(positionOf(update.state));
        }),
      ],
    });
    onPosition(positionOf(this.view.state));
  }

  setReadOnly(value: boolean): void {
    if (this.view.state.readOnly === value) return;
    this.view.dispatch({ effects: this.#access.reconfigure(value ? reading : writing) });
  }

  async setLanguage(language: Language): Promise<void> {
    this.#wanted = language.id;
    this.view.dom.parentElement?.setAttribute("data-face", language.prose ? "prose" : "code");
    this.view.dispatch({ effects: this.#face.reconfigure(language.prose ? prose : code) });
    const support = await language.load();
    if (this.#wanted !== language.id) return; // Another choice was quicker.
    this.view.dispatch({ effects: this.#language.reconfigure(support) });
  }

  /** Scrolls to somebody's cursor; false when it is nowhere in this text. */
  goTo(client: number): boolean {
    const at = readCursor(this.#awareness, this.#text, client);
    if (!at || at.head > this.view.state.doc.length) return false;
    this.view.dispatch({ effects: EditorView.scrollIntoView(at.head, { y: "center" }) });
    return true;
  }

  focus(): void {
    this.view.focus();
  }
}

// The text can still be selected, copied and walked through with the keyboard.
const reading: Extension = EditorState.readOnly.of(true);

const writing: Extension = placeholder("Write something. Whoever has the link sees it as you type.");

/** What the class highlighter has no names for. */
const proseHighlighter = tagHighlighter([
  { tag: tags.heading1, class: "tok-heading1" },
  { tag: tags.heading2, class: "tok-heading2" },
  { tag: tags.monospace, class: "tok-monospace" },
  { tag: tags.quote, class: "tok-quote" },
]);

const prose: Extension = EditorView.contentAttributes.of({
  spellcheck: "true",
  autocorrect: "on",
  autocapitalize: "sentences",
});

const code: Extension = [
  lineNumbers(),
  highlightActiveLineGutter(),
  indentUnit.of("    "),
  keymap.of([indentWithTab]), // Escape, then Tab, leaves the editor.
];

// CodeMirror draws only what is in view, so that the browser's own search would miss the rest.
const openSearch: Command = (view) => {
  void import("./search").then(({ open }) => open(view));
  return true;
};

function positionOf(state: EditorState): Position {
  const { head, from, to } = state.selection.main;
  const line = state.doc.lineAt(head);
  return {
    line: line.number,
    column: head - line.from + 1,
    selected: to - from,
    length: state.doc.length,
  };
}
