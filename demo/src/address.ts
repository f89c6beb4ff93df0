// address - what the page's URL says: which room, with which token, and where its server is.
//
// A room is named by ?room=NAME, or by #NAME, which is quicker to type. A page that names none makes
// a name up and puts it into the address, so that the address can be shared from the first moment.

/** The server's own limit for names (DESIGN, "Identity"): UTF-8, 1 to 1,024 bytes, no control characters. */
const ROOM_BYTES_MAX = 1024;

const MOODS =
  "amber brave bright calm clear early fair gentle golden green happy hazel kind late light little " +
  "lively lucky mellow misty open patient plain quiet rosy silver slow small soft still sunny swift " +
  "tidy warm wide wild wise young";
const PLACES =
  "bay beach bridge brook cape cliff copse cove creek dale dune fen field fjord ford garden glen grove " +
  "harbour heath hill inlet island lagoon lake lane marsh meadow mill moor orchard pier pond reef " +
  "river shore spring strand vale valley weir wood";

export interface Address {
  room: string;
  /** Empty when the URL has none. */
  token: string;
  /** The WebSocket endpoint of the server that this page came from. */
  socketUrl: string;
  /** What to give to others: this room, without the reader's own token. */
  shareUrl: string;
}

/** Reads the address bar, and completes it when it names no room. */
export function takeAddress(): Address {
  const url = new URL(location.href);
  const token = url.searchParams.get("token") ?? "";
  const room = roomIn(url) ?? randomRoom();
  if (url.searchParams.get("room") !== room) {
    url.searchParams.set("room", room);
    url.hash = "";
    history.replaceState(null, "", url);
  }

  const share = new URL(url.pathname, url);
  share.searchParams.set("room", room);
  const socket = new URL("/api/ws?type=yjs", url);
  socket.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return { room, token, socketUrl: socket.href, shareUrl: share.href };
}

function roomIn(url: URL): string | null {
  for (const name of [fragment(url), url.searchParams.get("room")]) {
    if (name !== null && isRoomName(name)) return name;
  }
  return null;
}

function fragment(url: URL): string | null {
  try {
    return decodeURIComponent(url.hash.slice(1));
  } catch {
    return null; // A stray "%": not a name that anyone meant.
  }
}

function isRoomName(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  return name.trim() !== "" && bytes <= ROOM_BYTES_MAX && !/\p{Cc}/u.test(name);
}

function randomRoom(): string {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint32Array(3));
  const pick = (words: string, n: number) => {
    const list = words.split(" ");
    return list[n % list.length];
  };
  return `${pick(MOODS, a)}-${pick(PLACES, b)}-${(c % 9000) + 1000}`;
}
