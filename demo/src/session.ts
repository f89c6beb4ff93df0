// session - one person's connection to one room: the document, who else is there, and how it stands.
//
// HocuspocusProvider does the talking. This module turns its events into one small state that the
// rest of the page shows, and adds what the provider leaves to its user:
//
// - `unsaved` is truthful. It falls to 0 only when the server has acknowledged everything that was
//   typed here, which Skein does once it is on disk.
// - A refusal is kept apart from a lost connection. It carries the server's words and is not
//   retried in a hurry.
// - A server that closes the document but not the socket, or that takes the socket and stays silent,
//   is asked again.
//
// Typed text is never thrown away: the document lives here for as long as the page does, and what
// the server lacks is sent by the first exchange after every reconnection.

import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from "@hocuspocus/provider";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Address } from "./address";

export type Link = "connecting" | "connected" | "reconnecting" | "offline" | "refused";

export interface SessionState {
  readonly link: Link;
  /** The server's words for the last refusal or for closing the document; may be empty. */
  readonly reason: string;
  /** The content of the room has arrived at least once: what is shown is the room. */
  readonly opened: boolean;
  readonly readOnly: boolean;
  /** Edits made here that the server has not acknowledged. */
  readonly unsaved: number;
  /** Why the server cannot save at present, in its words; empty when it can. */
  readonly degraded: string;
}

/** The name of the shared text in the document. */
const TEXT = "content";
/** The name of the map in the document that holds what everyone in the room shares besides the text. */
const SETTINGS = "page";

/** A lost connection is called "reconnecting" for so long, and "offline" after it. */
const OFFLINE_AFTER_MS = 4_000;
/** A server that has not let us in or refused us by then is hung: hang up. */
const SILENCE_MS = 15_000;
const REFUSED_RETRY_MS = 60_000;
const CLOSED_RETRY_MS = 1_000;

export class Session {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  readonly text = this.doc.getText(TEXT);
  readonly settings = this.doc.getMap<unknown>(SETTINGS);

  #state: SessionState = {
    link: "connecting",
    reason: "",
    opened: false,
    readOnly: false,
    unsaved: 0,
    degraded: "",
  };
  #listeners = new Set<(state: SessionState) => void>();
  #socket: HocuspocusProviderWebsocket;
  #provider: HocuspocusProvider;
  #acknowledged = Y.encodeStateVector(this.doc);
  #timers = new Map<string, number>();
  #presence: Record<string, unknown> = {};
  #documentClosed = false; // by the server, while the socket stayed open

  constructor(address: Address) {
    this.#socket = new HocuspocusProviderWebsocket({
      url: address.socketUrl,
      autoConnect: false,
      delay: 400,
      minDelay: 300,
      maxDelay: 4_000,
      factor: 1.6,
      onOpen: () => this.#onSocketOpen(),
      onStatus: ({ status }) => this.#onSocketStatus(status),
      onClose: ({ event }) => this.#onSocketClose(event.code, event.reason),
    });
    this.#provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: address.room,
      document: this.doc,
      awareness: this.awareness,
      token: address.token,
      onAuthenticated: ({ scope }) => this.#onAuthenticated(scope),
      onAuthenticationFailed: ({ reason }) => this.#onRefused(reason),
      onSynced: () => this.#set({ opened: true }),
      onStateless: ({ payload }) => this.#onStateless(payload),
      onUnsyncedChanges: ({ number }) => this.#onUnsynced(number),
      onClose: ({ event }) => this.#onDocumentClosed(event.reason),
    });
    this.doc.on("update", (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.#provider) this.#set({ unsaved: this.#state.unsaved + 1 });
    });
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#onLost());
    addEventListener("pageshow", (event) => event.persisted && this.#announce());
    document.addEventListener("visibilitychange", () => !document.hidden && this.retry());
    this.#provider.attach();
    void this.#socket.connect();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** What of the document the server is known to have. */
  get acknowledged(): Uint8Array {
    return this.#acknowledged;
  }

  /** Calls back at once and after every change of the state. */
  subscribe(listener: (state: SessionState) => void): void {
    this.#listeners.add(listener);
    listener(this.#state);
  }

  /** Asks the server now instead of after the wait that is running. Does nothing while connected. */
  retry(): void {
    if (this.#state.link === "connected") return;
    this.#cancel("refused");
    this.#socket.shouldConnect = true;
    if (this.#socket.status !== WebSocketStatus.Connected) void this.#socket.connect();
    else if (this.#documentClosed) void this.#askAgain();
  }

  /** Sets one field of what the others in the room see of this person. */
  present(field: string, value: unknown): void {
    this.#presence = { ...this.#presence, [field]: value };
    this.awareness.setLocalState({ ...this.awareness.getLocalState(), [field]: value });
  }

  #set(change: Partial<SessionState>): void {
    const next = { ...this.#state, ...change };
    const same = (Object.keys(next) as (keyof SessionState)[]).every((k) => next[k] === this.#state[k]);
    if (same) return;
    this.#state = next;
    for (const listener of this.#listeners) listener(next);
  }

  #after(name: string, ms: number, act: () => void): void {
    this.#cancel(name);
    this.#timers.set(name, window.setTimeout(act, ms));
  }

  #cancel(name: string): void {
    window.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  // The provider keeps updates that were made while offline in a queue, and also sends all that the
  // server lacks in the exchange that follows. The queued ones would be acknowledged without being
  // counted, so that "saved" came too early. The exchange alone is complete.
  #onSocketOpen(): void {
    this.#documentClosed = false;
    this.#socket["messageQueue"] = [];
  }

  #onSocketStatus(status: WebSocketStatus): void {
    if (status === WebSocketStatus.Disconnected) {
      this.#cancel("silence");
      this.#onLost();
    } else if (this.#state.link !== "connected") {
      this.#after("silence", SILENCE_MS, () => this.#socket.webSocket?.close());
    }
  }

  #onLost(): void {
    const { link, opened } = this.#state;
    // A refusal stays on show, and a server on this very machine needs no network.
    if (link === "refused" || this.#socket.status === WebSocketStatus.Connected) return;
    if (!navigator.onLine) {
      this.#set({ link: "offline", degraded: "" });
    } else if (link !== "offline" && !this.#timers.has("offline")) {
      this.#set({ link: opened ? "reconnecting" : "connecting", degraded: "" });
      this.#after("offline", OFFLINE_AFTER_MS, () => this.#set({ link: "offline" }));
    }
  }

  // Codes from 4400 mean "do not come back unchanged". 4408 is the exception that Hocuspocus made: it
  // hangs up so on a quiet client, such as a tab that the browser put to sleep.
  #onSocketClose(code: number, reason: string): void {
    if (code >= 4400 && code <= 4499 && code !== 4408) this.#onRefused(reason || `code ${code}`);
  }

  #onAuthenticated(scope: string): void {
    for (const timer of ["silence", "offline", "refused"]) this.#cancel(timer);
    this.#set({ link: "connected", reason: "", readOnly: scope === "readonly", degraded: "" });
    this.#announce();
  }

  // The others forgot this client when its connection was lost, and take it back only under a newer
  // clock than the one they remember.
  #announce(): void {
    this.awareness.setLocalState(this.awareness.getLocalState() ?? this.#presence);
  }

  #onRefused(reason: string): void {
    this.#cancel("silence");
    this.#cancel("offline");
    this.#set({ link: "refused", reason, degraded: "" });
    this.#socket.disconnect();
    this.#after("refused", REFUSED_RETRY_MS, () => this.retry());
  }

  // The provider reports a closed socket in the same way; that one is on its way back already.
  #onDocumentClosed(reason: string): void {
    if (this.#socket.status !== WebSocketStatus.Connected || this.#state.link !== "connected") return;
    this.#documentClosed = true;
    this.#set({ link: "reconnecting", reason, degraded: "" });
    this.#after("closed", CLOSED_RETRY_MS, () => this.retry());
  }

  async #askAgain(): Promise<void> {
    this.#documentClosed = false;
    this.#after("silence", SILENCE_MS, () => this.#socket.webSocket?.close());
    await this.#provider.sendToken();
    this.#provider.startSync();
  }

  #onUnsynced(count: number): void {
    if (count > 0) return;
    this.#acknowledged = Y.encodeStateVector(this.doc);
    this.#set({ unsaved: 0 });
  }

  #onStateless(payload: string): void {
    const message = parse(payload);
    if (message?.skein === "degraded") {
      this.#set({ degraded: String(message.reason ?? "") || "it cannot write" });
    } else if (message?.skein === "recovered") {
      this.#set({ degraded: "" });
    }
  }
}

// Anybody may send stateless messages where the server relays them.
function parse(payload: string): { skein?: unknown; reason?: unknown } | null {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
