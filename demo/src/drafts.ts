// drafts - edits that the server has not acknowledged, kept in this browser in case the page goes away
// before they are: a closed laptop, a crashed tab, a reload while the server is down.
//
// A draft is a Yjs update with everything since the last acknowledgement. It is written only when
// edits stay unacknowledged for a moment, and removed with the next acknowledgement. Whoever opens the
// room next in this browser applies what is there. Applying twice does no harm, which is why several
// tabs need no agreement. A draft that builds on content which the room no longer has changes nothing.

import * as Y from "yjs";
import { forget, keep, keptKeys, readKept } from "./keep";
import type { Session, SessionState } from "./session";

const WAIT_MS = 400;

export class Drafts {
  #session: Session;
  #prefix: string;
  #own: string;
  #timer = 0;
  #restored = new Map<string, string>();
  #looked = false;

  constructor(session: Session, room: string) {
    this.#session = session;
    this.#prefix = `draft:${encodeURIComponent(room)}:`;
    this.#own = this.#prefix + String(session.doc.clientID);
    session.subscribe((state) => this.#onState(state));
    addEventListener("pagehide", () => this.#write());
    addEventListener("beforeunload", (event) => this.#onLeave(event));
  }

  #onState(state: SessionState): void {
    if (state.opened && !state.readOnly && !this.#looked) {
      this.#looked = true;
      this.#restore();
    }
    if (this.#session.state.unsaved === 0) this.#drop();
    else if (this.#timer === 0) this.#timer = window.setTimeout(() => this.#write(), WAIT_MS);
  }

  #restore(): void {
    for (const key of keptKeys(this.#prefix)) {
      const value = readKept(key);
      if (value === null || key === this.#own) continue;
      try {
        Y.applyUpdate(this.#session.doc, fromBase64(value), this);
        if (!this.#session.doc.store.pendingStructs) this.#restored.set(key, value);
      } catch (error) {
        console.warn("A draft in this browser cannot be read and is dropped.", error);
        forget(key);
      }
    }
  }

  #write(): void {
    this.#timer = 0;
    if (this.#session.state.unsaved === 0) return;
    const update = Y.encodeStateAsUpdate(this.#session.doc, this.#session.acknowledged);
    keep(this.#own, toBase64(update));
  }

  // A draft that another tab wrote again since it was read here is that tab's to remove.
  #drop(): void {
    if (this.#timer !== 0) window.clearTimeout(this.#timer);
    this.#timer = 0;
    forget(this.#own);
    for (const [key, value] of this.#restored) {
      if (readKept(key) === value) forget(key);
    }
    this.#restored.clear();
  }

  #onLeave(event: BeforeUnloadEvent): void {
    this.#write();
    if (this.#session.state.unsaved > 0) event.preventDefault(); // The browser asks.
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
