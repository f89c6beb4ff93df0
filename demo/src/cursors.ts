// cursors - where the others are in the text: their selections, their carets, and for a moment after
// each move their names.
//
// The field "cursor" of the awareness state holds {anchor, head} as Yjs relative positions, the shape
// that y-codemirror.next writes, so that people in either see each other. Its own plugin is not used: it
// puts the colours that others send into style attributes as they come, and shows a name only under
// the mouse.

import { Annotation, RangeSet, type Range } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type PluginValue,
  type ViewUpdate,
} from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { readPerson, type Person } from "./people";

interface CursorRange {
  anchor: number;
  head: number;
}

/** Where this client's cursor is in the text; null when it is nowhere or cannot be understood. */
export function readCursor(awareness: Awareness, text: Y.Text, id: number): CursorRange | null {
  const cursor: unknown = awareness.getStates().get(id)?.["cursor"];
  if (typeof cursor !== "object" || cursor === null) return null;
  const { anchor, head } = cursor as Record<string, unknown>;
  const at = [anchor, head].map((position) => resolve(position, text));
  return at[0] == null || at[1] == null ? null : { anchor: at[0], head: at[1] };
}

function resolve(position: unknown, text: Y.Text): number | null {
  if (typeof position !== "object" || position === null || !text.doc) return null;
  try {
    const relative = Y.createRelativePositionFromJSON(position);
    const absolute = Y.createAbsolutePositionFromRelativePosition(relative, text.doc);
    return absolute?.type === text ? absolute.index : null;
  } catch {
    return null; // Sent by a client that means something else by "cursor".
  }
}

class Caret extends WidgetType {
  constructor(
    readonly person: Person,
    /** Rises with every move of this cursor, so that its name is shown anew. */
    readonly move: number,
  ) {
    super();
  }

  override eq(other: Caret): boolean {
    const { id, name, color } = this.person;
    const { person, move } = other;
    return id === person.id && name === person.name && color === person.color && this.move === move;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = "cursor";
    caret.ariaHidden = "true";
    caret.style.setProperty("--who", this.person.color);
    const name = document.createElement("span");
    name.className = "cursor-name";
    name.textContent = this.person.name;
    // Word joiners give the empty span a line to stand on, without a place to break it.
    caret.append("\u2060", name, "\u2060");
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

const moved = Annotation.define<true>();

/** Turns names that would stick out of the view to the other side of their caret. */
const placeNames = {
  key: "names of cursors",
  read(view: EditorView) {
    const edge = view.scrollDOM.getBoundingClientRect();
    return [...view.contentDOM.querySelectorAll<HTMLElement>(".cursor")].map((caret) => {
      const at = caret.getBoundingClientRect();
      const { offsetWidth = 0, offsetHeight = 0 } = caret.querySelector<HTMLElement>(".cursor-name") ?? {};
      return {
        caret,
        before: at.left + offsetWidth > edge.right,
        below: at.top - offsetHeight < edge.top,
      };
    });
  },
  write(places: { caret: HTMLElement; before: boolean; below: boolean }[]) {
    for (const { caret, before, below } of places) {
      caret.classList.toggle("before", before);
      caret.classList.toggle("below", below);
    }
  },
};

class Cursors implements PluginValue {
  decorations: DecorationSet = RangeSet.empty;
  #moves = new Map<number, { key: string; count: number }>();

  constructor(
    readonly view: EditorView,
    readonly awareness: Awareness,
    readonly text: Y.Text,
  ) {
    awareness.on("change", this.#onAwareness);
    this.decorations = this.#draw();
    view.requestMeasure(placeNames);
  }

  #onAwareness = (change: { added: number[]; updated: number[]; removed: number[] }) => {
    const { added, updated, removed } = change;
    if ([...added, ...updated, ...removed].some((id) => id !== this.awareness.clientID)) {
      this.view.dispatch({ annotations: moved.of(true) });
    }
  };

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.#tell(update);
    if (update.docChanged || update.transactions.some((t) => t.annotation(moved))) {
      this.decorations = this.#draw();
      this.view.requestMeasure(placeNames);
    } else if (update.geometryChanged || update.viewportChanged) {
      this.view.requestMeasure(placeNames);
    }
  }

  destroy(): void {
    this.awareness.off("change", this.#onAwareness);
  }

  // A window that lost the focus leaves its cursor where it was.
  #tell({ view, state }: ViewUpdate): void {
    const local = this.awareness.getLocalState();
    if (!view.hasFocus || local === null) return;
    const { anchor, head } = state.selection.main;
    const cursor = { anchor: this.#relative(anchor), head: this.#relative(head) };
    if (JSON.stringify(cursor) !== JSON.stringify(local["cursor"])) {
      this.awareness.setLocalStateField("cursor", cursor);
    }
  }

  #relative(index: number): unknown {
    return Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.text, index));
  }

  #draw(): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    for (const [id, state] of this.awareness.getStates()) {
      if (id === this.awareness.clientID) continue;
      const at = readCursor(this.awareness, this.text, id);
      if (at) this.#drawOne(ranges, readPerson(id, state), at, JSON.stringify(state["cursor"]));
    }
    return Decoration.set(ranges, true);
  }

  #drawOne(ranges: Range<Decoration>[], person: Person, at: CursorRange, key: string): void {
    const { anchor, head } = at;
    const length = this.view.state.doc.length;
    if (Math.max(anchor, head) > length) return; // The text's own update is about to come.
    const last = this.#moves.get(person.id);
    const count = last?.key === key ? last.count : (last?.count ?? 0) + 1;
    this.#moves.set(person.id, { key, count });

    if (anchor !== head) {
      const style = `--who: ${person.color}`;
      const mark = Decoration.mark({ class: "selection", attributes: { style } });
      ranges.push(mark.range(Math.min(anchor, head), Math.max(anchor, head)));
    }
    const side = head > anchor ? -1 : 1; // Outside of its own selection.
    ranges.push(Decoration.widget({ widget: new Caret(person, count), side }).range(head));
  }
}

export function cursors(awareness: Awareness, text: Y.Text) {
  return ViewPlugin.define((view) => new Cursors(view, awareness, text), {
    decorations: (plugin) => plugin.decorations,
  });
}
