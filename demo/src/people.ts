// people - who is in the room: this person's name and colour, and everybody else's.
//
// A person is the field "user" of a Yjs awareness state, {name, color}, as y-codemirror.next, Tiptap
// and others write it. What others send is shown only after it went through readPerson(): a name is
// short plain text, a colour is six hexadecimal digits.

import { byId, h } from "./dom";
import { keep, readKept } from "./keep";
import type { Session } from "./session";

export interface Person {
  id: number;
  name: string;
  color: string;
  me: boolean;
}

const NAME_LENGTH_MAX = 32;
const FACES_MAX = 4;

/** Dark enough that white words on them can be read (4.9 : 1 and better). */
const COLORS = [
  ["#0e7490", "Lagoon"],
  ["#1d4ed8", "Cornflower"],
  ["#6d28d9", "Violet"],
  ["#a21caf", "Orchid"],
  ["#be123c", "Rose"],
  ["#c2410c", "Rust"],
  ["#a16207", "Ochre"],
  ["#4d7c0f", "Moss"],
  ["#047857", "Fern"],
] as const;

const BIRDS =
  "Avocet Bittern Bunting Crane Curlew Dipper Dunlin Egret Fieldfare Finch Gannet Godwit Goldcrest " +
  "Grebe Heron Hoopoe Jackdaw Kestrel Kingfisher Lapwing Linnet Martin Merlin Nightjar Oriole Osprey " +
  "Pipit Plover Puffin Redwing Robin Sandpiper Siskin Skylark Snipe Starling Swallow Swift Teal Tern " +
  "Thrush Wagtail Warbler Wren";

/** What an awareness state says of its person. Never fails, whatever was sent. */
export function readPerson(id: number, state: unknown, me = false): Person {
  const user = field(state, "user");
  const name = cleanName(field(user, "name"));
  const color = field(user, "color");
  const fits = typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color);
  return { id, name: name || "Someone", color: fits ? color : colorAt(id), me };
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

// Control and format characters can reorder or hide what stands beside them.
function cleanName(name: unknown): string {
  if (typeof name !== "string") return "";
  const plain = name.slice(0, 200).replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return [...plain].slice(0, NAME_LENGTH_MAX).join("");
}

function colorAt(n: number): string {
  return COLORS[n % COLORS.length]?.[0] ?? COLORS[0][0];
}

/** Everybody in the room, this person first, the others in a steady order. */
export function listPeople(session: Session): Person[] {
  const own = session.doc.clientID;
  const people = [...session.awareness.getStates()]
    .filter(([id, state]) => id === own || field(state, "user") !== undefined)
    .map(([id, state]) => readPerson(id, state, id === own));
  return people.sort((a, b) => Number(b.me) - Number(a.me) || a.id - b.id);
}

export interface PeopleActions {
  /** Scrolls to where this person's cursor is; false when it is nowhere. */
  goTo: (id: number) => boolean;
}

/** Introduces this person to the room, and keeps #people and #people-panel in step with who is there. */
export function showPeople(session: Session, actions: PeopleActions): void {
  const faces = byId<HTMLButtonElement>("people");
  const panel = byId("people-panel");
  const others = h("ul", { className: "others" });
  const me = introduce();
  const present = () => session.present("user", { name: me.name, color: me.color });

  panel.append(makeOwnCard(me, present), others);
  present();

  let shown = "";
  const show = () => {
    const people = listPeople(session);
    const key = JSON.stringify(people);
    if (key === shown) return; // Cursors move far more often than people come and go.
    shown = key;
    showFaces(faces, people);
    showOthers(others, people.filter((p) => !p.me), (id) => {
      if (actions.goTo(id)) panel.hidePopover();
    });
  };
  session.awareness.on("change", show);
  show();
}

interface Me {
  name: string;
  color: string;
}

function introduce(): Me {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint32Array(2));
  const birds = BIRDS.split(" ");
  const color = readKept("color") ?? "";
  return {
    name: cleanName(readKept("name")) || (birds[a % birds.length] ?? "Heron"),
    color: COLORS.some(([known]) => known === color) ? color : colorAt(b),
  };
}

function makeOwnCard(me: Me, present: () => void): HTMLElement {
  const name = h("input", {
    id: "name",
    type: "text",
    value: me.name,
    maxLength: NAME_LENGTH_MAX,
    autocomplete: "off",
    spellcheck: false,
  });
  name.setAttribute("aria-label", "Your name");
  name.addEventListener("input", () => {
    const clean = cleanName(name.value);
    if (!clean) return;
    me.name = clean;
    keep("name", clean);
    keep("color", me.color);
    present();
  });
  name.addEventListener("change", () => (name.value = me.name));
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter") byId("people-panel").hidePopover();
  });

  const swatches = COLORS.map(([color, title]) => {
    const radio = h("input", {
      type: "radio",
      name: "color",
      value: color,
      title,
      checked: color === me.color,
      css: { "--who": color },
    });
    radio.setAttribute("aria-label", title);
    radio.addEventListener("change", () => {
      me.color = color;
      keep("color", color);
      keep("name", me.name);
      present();
    });
    return radio;
  });
  const colors = h("div", { className: "swatches" }, ...swatches);
  colors.setAttribute("role", "radiogroup");
  colors.setAttribute("aria-label", "Your colour");
  return h("div", { className: "own" }, h("label", { htmlFor: "name" }, "Your name"), name, colors);
}

function makeFace(person: Person): HTMLElement {
  const initial = [...person.name][0] ?? "?";
  const title = person.me ? `${person.name} (you)` : person.name;
  const css = { "--who": person.color };
  return h("span", { className: "face", title, css }, initial.toLocaleUpperCase());
}

function showFaces(button: HTMLButtonElement, people: Person[]): void {
  const shown = people.length > FACES_MAX + 1 ? people.slice(0, FACES_MAX) : people;
  const more = people.length - shown.length;
  button.replaceChildren(
    ...shown.map(makeFace),
    ...(more > 0 ? [h("span", { className: "face more" }, `+${more}`)] : []),
  );
  const count = people.length === 1 ? "Only you are here" : `${people.length} people are here`;
  button.setAttribute("aria-label", `${count}. Show who, and set your name`);
  button.dataset.count = String(people.length);
}

function showOthers(list: HTMLElement, others: Person[], onPick: (id: number) => void): void {
  if (others.length === 0) {
    list.replaceChildren(h("li", { className: "nobody" }, "Nobody else is here yet."));
    return;
  }
  list.replaceChildren(
    ...others.map((person) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", title: "Go to their cursor", onclick: () => onPick(person.id) },
          makeFace(person),
          h("span", { className: "who" }, person.name),
        ),
      ),
    ),
  );
}
