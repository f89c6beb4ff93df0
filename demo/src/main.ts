// main - puts the page together: an address names a room, a session speaks for it, and the editor,
// the people and the status each show their part of the session.

import { takeAddress, type Address } from "./address";
import { byId, h } from "./dom";
import { Drafts } from "./drafts";
import { Editor, type Position } from "./editor";
import { findLanguage, LANGUAGES } from "./languages";
import { showPeople } from "./people";
import { Session } from "./session";
import { showStatus } from "./status";

const LANGUAGE = "language"; // key in the room's settings
const COPIED_MS = 1_800;

function showRoom(address: Address): void {
  const room = byId("room");
  room.textContent = address.room;
  room.title = address.room;
  document.title = `${address.room} – Skein`;
}

function showPosition({ line, column, selected, length }: Position): void {
  const number = new Intl.NumberFormat("en");
  const characters = (n: number) => (n === 1 ? "1 character" : `${number.format(n)} characters`);
  byId("position").textContent =
    selected > 0
      ? `${characters(selected)} selected`
      : `Line ${number.format(line)}, column ${number.format(column)}`;
  byId("size").textContent = characters(length);
}

// What a room is highlighted as belongs to the room: everyone sees the same.
function showLanguage(session: Session, editor: Editor, room: string): void {
  const select = byId<HTMLSelectElement>("language");
  select.append(...LANGUAGES.map(({ id, label }) => h("option", { value: id }, label)));
  let shown = "";
  const show = () => {
    const language = findLanguage(session.settings.get(LANGUAGE), room);
    if (language.id === shown) return;
    shown = language.id;
    select.value = language.id;
    void editor.setLanguage(language);
  };
  select.addEventListener("change", () => session.settings.set(LANGUAGE, select.value));
  session.settings.observe(show);
  show();
}

function showShare(address: Address): void {
  const button = byId("share");
  const words = byId("share-words");
  const usual = words.textContent;
  let timer = 0;
  button.title = address.token
    ? "Copy the link to this room, without your own access token"
    : "Copy the link to this room";
  button.addEventListener("click", async () => {
    const copied = await copy(address.shareUrl);
    words.textContent = copied ? "Copied" : "Copy it from the address bar";
    button.dataset.state = copied ? "copied" : "failed";
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      words.textContent = usual;
      delete button.dataset.state;
    }, COPIED_MS);
  });
}

// Browsers keep the clipboard from pages that came over plain HTTP from another machine.
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { value: text, className: "unseen" });
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}

function start(): void {
  const address = takeAddress();
  showRoom(address);
  const session = new Session(address);
  const editor = new Editor(byId("editor"), session.text, session.awareness, showPosition);
  new Drafts(session, address.room);

  showStatus(session);
  showPeople(session, { goTo: (id) => editor.goTo(id) });
  showLanguage(session, editor, address.room);
  showShare(address);

  let opened = false;
  session.subscribe((state) => {
    const readOnly = !state.opened || state.readOnly || state.link === "refused";
    editor.setReadOnly(readOnly);
    byId<HTMLSelectElement>("language").disabled = readOnly;
    byId("editor").dataset.opened = String(state.opened);
    if (state.opened && !opened) editor.focus();
    opened = state.opened;
  });
  addEventListener("hashchange", () => location.reload());
}

start();
