// search - find and replace, fetched when it is first asked for.

import { openSearchPanel, search, searchKeymap } from "@codemirror/search";
import { StateEffect } from "@codemirror/state";
import { keymap, type EditorView } from "@codemirror/view";

const ready = new WeakSet<EditorView>();

export function open(view: EditorView): void {
  if (!ready.has(view)) {
    ready.add(view);
    const extensions = [search({ top: true }), keymap.of(searchKeymap)];
    view.dispatch({ effects: StateEffect.appendConfig.of(extensions) });
  }
  openSearchPanel(view);
}
