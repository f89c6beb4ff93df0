// status - how it stands, in words: the connection, whether the text is saved, and, when something is
// wrong, a notice that says what is wrong and what becomes of the text.

import { byId, h } from "./dom";
import type { Link, Session, SessionState } from "./session";

export type Saved = "opening" | "saved" | "saving" | "unsaved" | "readonly";

export interface Words {
  link: string;
  saved: Saved;
  savedText: string;
  notice: string;
  /** "bad" needs the reader, "warn" passes by itself. */
  tone: "bad" | "warn";
  /** The words of a button that asks the server at once; empty for none. */
  retry: string;
}

const LINK: Record<Link, string> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  offline: "Offline",
  refused: "Refused",
};

/** "Saving…" outlasts the acknowledgement by so much: the words do not flicker while someone types. */
const SETTLE_MS = 350;

export function describe(state: SessionState): Words {
  return { link: LINK[state.link], ...describeSaved(state), ...describeNotice(state) };
}

function describeSaved(state: SessionState): Pick<Words, "saved" | "savedText"> {
  const { link, opened, unsaved, readOnly, degraded } = state;
  const changes = unsaved === 1 ? "1 unsaved change" : `${unsaved} unsaved changes`;

  if (unsaved > 0) {
    if (link !== "connected") return { saved: "unsaved", savedText: changes };
    if (readOnly) return { saved: "unsaved", savedText: "Not saved: you may only read here" };
    if (degraded) return { saved: "unsaved", savedText: `Not saved: server says ${degraded}` };
    return { saved: "saving", savedText: "Saving…" };
  }
  if (!opened) return { saved: "opening", savedText: link === "connected" ? "Opening…" : "" };
  if (readOnly) return { saved: "readonly", savedText: "Read only" };
  return { saved: "saved", savedText: link === "connected" ? "Saved" : "All changes saved" };
}

function describeNotice(state: SessionState): Pick<Words, "notice" | "tone" | "retry"> {
  const { link, reason, opened, unsaved, degraded } = state;
  const kept =
    unsaved > 0
      ? " What you wrote is kept in this browser, and is sent when the server lets you in."
      : "";

  if (link === "refused") {
    const why = reason ? `: ${sentence(reason)}` : ".";
    return {
      notice: `The server does not let you into this room${why}${kept}`,
      tone: "bad",
      retry: "Try again",
    };
  }
  if (link === "connected" && degraded) {
    return {
      notice:
        `The server cannot save at the moment: ${sentence(degraded)} ` +
        "You can go on writing: your changes are kept here until it can.",
      tone: "bad",
      retry: "",
    };
  }
  if (link === "offline") {
    return {
      notice: opened
        ? "The server cannot be reached. You can go on writing: your changes are kept here, and are " +
          "sent when it is back."
        : "The server cannot be reached. The room opens as soon as it can.",
      tone: "warn",
      retry: "Try now",
    };
  }
  if (link === "reconnecting" && reason) {
    return { notice: `The server closed this room: ${sentence(reason)}`, tone: "warn", retry: "" };
  }
  return { notice: "", tone: "warn", retry: "" };
}

/** The server's words, as a sentence of their own. */
function sentence(words: string): string {
  const trimmed = words.trim().slice(0, 300);
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** Keeps #link, #saved and #notice in step with the session. */
export function showStatus(session: Session): void {
  const link = byId("link");
  const saved = byId("saved");
  const notice = byId("notice");
  let settle = 0;

  const showSaved = (words: Words) => {
    settle = 0;
    saved.dataset.state = words.saved;
    saved.textContent = words.savedText;
    saved.title = words.savedText;
  };

  session.subscribe((state) => {
    const words = describe(state);
    link.dataset.state = state.link;
    link.textContent = words.link;
    showNotice(notice, words, () => session.retry());

    window.clearTimeout(settle);
    const settling = saved.dataset.state === "saving" && words.saved === "saved";
    if (settling) settle = window.setTimeout(showSaved, SETTLE_MS, words);
    else showSaved(words);
  });
}

function showNotice(notice: HTMLElement, words: Words, retry: () => void): void {
  const shown = `${words.tone} ${words.notice}`;
  if (notice.dataset.shown === shown) return;
  notice.dataset.shown = shown;
  notice.dataset.tone = words.tone;
  notice.hidden = words.notice === "";
  notice.replaceChildren(
    h("p", {}, words.notice),
    words.retry === "" ? "" : h("button", { type: "button", onclick: retry }, words.retry),
  );
}
