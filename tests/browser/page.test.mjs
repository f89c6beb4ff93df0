// The page at "/", with two people on it, against the real server: what they type, whom they see, what
// the page says about the connection and about saving, and that nothing is lost when the server dies.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Interceptor, openBrowser, TestServer, Visitor } from "./world.mjs";

let browser;
let server;
let people = [];

before(async () => {
  browser = await openBrowser();
  server = await TestServer.start();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs a test with people who leave afterwards; what they saw is kept when it fails. */
function scene(name, play) {
  test(name, { timeout: 90_000 }, async () => {
    people = [];
    try {
      await play();
      for (const { errors } of people) assert.deepEqual(errors, [], "the page complains");
    } catch (error) {
      const file = name.replace(/\W+/g, "-").slice(0, 60);
      await Promise.all(people.map((p, i) => p.shot(`failed-${file}-${i + 1}`).catch(() => {})));
      throw error;
    } finally {
      await Promise.all(people.map((p) => p.leave()));
    }
  });
}

async function arrive(path, options, at = server) {
  const visitor = await Visitor.arrive(browser, at.url + path, options);
  people.push(visitor);
  return visitor;
}

const ada = { name: "Ada", color: "#0e7490" };
const grace = { name: "Grace", color: "#be123c" };

const NOTES = `# Notes of the harbour watch

The **tide** turned at six. We counted *forty-one* geese, flying low
over the breakwater, and wrote it down in [the log](/log).

- Wind from the north-west, \`4 Bft\`
- Two sails, both red
- The lamp at the pier is out again

> Whoever comes next: the kettle is full.
`;

const JAVASCRIPT = `import { open } from "./harbour.js";

// Everyone who is on the pier, by name.
export async function countGeese(room, { limit = 41 } = {}) {
  const seen = new Map();
  for await (const bird of open(room)) {
    if (bird.kind !== "goose") continue;
    seen.set(bird.name, (seen.get(bird.name) ?? 0) + 1);
    if (seen.size >= limit) return seen;
  }
  return null;
}
`;

/** Puts a whole text in at once, as a paste does: no auto-indentation, no list continuation. */
async function paste(visitor, text) {
  await visitor.editor.focus();
  await visitor.page.keyboard.insertText(text);
}

// Property: a page without a room makes one up, puts it into the address, and that address opens the
// same room for somebody else.
scene("an address without a room becomes a link to one", async () => {
  const a = await arrive("/", ada);
  await a.ready();
  const url = new URL(a.page.url());
  const room = url.searchParams.get("room");
  assert.match(room, /^[a-z]+-[a-z]+-\d{4}$/);
  assert.equal(await a.page.locator("#room").textContent(), room);
  await a.type("here first");
  await a.saved("saved");

  await a.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await a.page.click("#share");
  await a.page.locator('#share[data-state="copied"]').waitFor();
  const link = await a.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${server.url}/?room=${room}`);

  const b = await arrive(link.slice(server.url.length), grace);
  await b.sees("here first");

  const c = await arrive(`/#${room}`, { name: "Edith" });
  await c.sees("here first");
  assert.equal(new URL(c.page.url()).searchParams.get("room"), room);
});

// Property: what two people type in turns and at once is the same text in both windows, each sees the
// other's caret with the name on it, and both are told that it is saved.
scene("two people write in one text and see each other", async () => {
  const a = await arrive("/?room=two.md", ada);
  const b = await arrive("/?room=two.md", grace);
  await Promise.all([a.ready(), b.ready()]);
  await paste(a, NOTES);
  await b.sees(NOTES);
  await a.saved("saved");

  await b.page.locator(".cm-line", { hasText: "Two sails" }).click();
  await b.page.keyboard.press("End");
  await a.page.locator(".cm-line", { hasText: "Whoever" }).click();
  await a.page.keyboard.press("End");
  await Promise.all([
    a.type(" So is the lamp.", { delay: 25 }),
    b.type(", far out", { delay: 25 }),
  ]);
  const wanted = NOTES.replace("both red", "both red, far out").replace("full.", "full. So is the lamp.");
  await Promise.all([a.sees(wanted), b.sees(wanted)]);
  await Promise.all([a.saved("saved"), b.saved("saved")]);

  await a.page.locator(".cursor-name", { hasText: "Grace" }).waitFor();
  await b.page.locator(".cursor-name", { hasText: "Ada" }).waitFor();
  assert.equal(await a.page.locator("#people .face").count(), 2);
  await b.page.keyboard.press("Shift+Home");
  await a.page.locator(".selection").waitFor();
  await a.shot("two-markdown");

  // Undo takes back one's own words, never the other's.
  await a.page.keyboard.press("Control+z");
  await b.sees(NOTES.replace("both red", "both red, far out"));
});

// Property: a name and a colour are the person's own, reach everybody at once, and are there again
// after a reload; the list of people leads to their cursors.
scene("a person has a name and a colour of their own", async () => {
  const a = await arrive("/?room=names.md");
  const b = await arrive("/?room=names.md", grace);
  await Promise.all([a.ready(), b.ready()]);
  await paste(b, "one\n".repeat(120));
  await b.page.keyboard.press("Control+Home");
  await b.type("x");

  await a.page.click("#people");
  await a.page.fill("#name", "Lovelace");
  await a.page.locator('.swatches input[title="Violet"]').check();
  await a.page.locator("#people-panel .others button", { hasText: "Grace" }).waitFor();
  await a.shot("people");
  await a.page.locator("#people-panel .others button").click();
  await a.page.locator(".cursor-name", { hasText: "Grace" }).waitFor();

  await a.editor.focus();
  await a.page.keyboard.press("Control+Home");
  await b.page.locator(".cursor-name", { hasText: "Lovelace" }).waitFor({ state: "attached" });
  await a.page.reload();
  await a.ready();
  assert.equal(await a.page.locator("#name").inputValue(), "Lovelace");
  await b.page.locator('#people .face[title="Lovelace"]').waitFor();
  assert.equal(await b.page.locator("#people .face").count(), 2, "the old window is gone");
});

// Property: a language is the room's, for everyone in it.
scene("the language is chosen for the room", async () => {
  const a = await arrive("/?room=geese", ada);
  const b = await arrive("/?room=geese", grace);
  await Promise.all([a.ready(), b.ready()]);
  await paste(a, JAVASCRIPT);
  await a.page.selectOption("#language", "javascript");
  await b.page.locator(".tok-keyword", { hasText: "import" }).waitFor();
  assert.equal(await b.page.locator("#language").inputValue(), "javascript");
  await b.page.locator(".cm-line", { hasText: "limit) return" }).click();
  await b.page.keyboard.press("Home");
  await b.page.keyboard.press("Shift+End");
  await a.page.locator(".selection").first().waitFor();
  await a.shot("two-javascript");
  await a.page.selectOption("#language", "python");
  await b.page.locator('#language >> option[value="python"]:checked').waitFor({ state: "attached" });
});

// Property: when the server is killed in the middle of typing, the page says so, goes on taking text,
// finds the server again by itself, and says "saved" only when the server has everything. No
// character is lost, also after the next kill, and what the other person wrote meanwhile is in it.
scene("a killed server loses nothing", async () => {
  const a = await arrive("/?room=kill.txt", ada);
  const b = await arrive("/?room=kill.txt", grace);
  await Promise.all([a.ready(), b.ready()]);
  await a.type("begin ");
  await a.saved("saved");

  const words = "the quick brown fox jumps over the lazy dog ".repeat(4);
  const typing = a.type(words, { delay: 30 });
  await b.page.locator(".cm-line", { hasText: "quick brown" }).waitFor();
  await server.kill();
  await a.saved("unsaved");
  await a.page.locator("#saved", { hasText: /\d+ unsaved change/ }).waitFor();
  assert.notEqual(await a.page.locator("#link").getAttribute("data-state"), "connected");
  await a.link("offline");
  await a.shot("offline");
  await typing;
  await b.editor.focus();
  await b.page.keyboard.press("Control+Home");
  await b.type("offline too: ");
  await b.saved("unsaved");

  await server.start();
  await Promise.all([a.link("connected"), b.link("connected")]);
  const wanted = `offline too: begin ${words}`;
  await Promise.all([a.sees(wanted), b.sees(wanted)]);
  await Promise.all([a.saved("saved"), b.saved("saved")]);
  await a.page.locator('#people .face[title="Grace"]').waitFor();

  await server.kill();
  await server.start();
  const c = await arrive("/?room=kill.txt", { name: "Edith" });
  await c.sees(wanted);
  for (const p of [a, b]) p.errors.length = 0; // Chromium reports each attempt to connect.
});

// Property: "saved" waits for the acknowledgement of everything. What was typed while offline is sent
// once, by the exchange after reconnecting, and one acknowledgement answers for all of it.
scene("saved means everything", async () => {
  const socket = new Interceptor();
  const a = await arrive("/?room=all.txt", { ...ada, before: (page) => socket.watch(page) });
  const b = await arrive("/?room=all.txt", grace);
  await Promise.all([a.ready(), b.ready()]);
  await a.saved("saved");

  socket.hold = true;
  socket.cut();
  await a.link("reconnecting");
  await a.type("five changes ");
  await a.page.locator("#saved", { hasText: "13 unsaved changes" }).waitFor();
  socket.mend();
  await a.link("connected");
  await b.sees("five changes ");
  assert.equal(await a.page.locator("#saved").getAttribute("data-state"), "saving");
  await socket.holds(1);
  socket.release();
  await a.saved("saved");

  await a.type("six");
  await b.sees("five changes six");
  await socket.holds(3);
  socket.release(2);
  await b.type("!"); // The page has seen both acknowledgements when it has seen this.
  await a.page.locator(".cm-line", { hasText: "!" }).waitFor();
  assert.equal(await a.page.locator("#saved").getAttribute("data-state"), "saving");
  socket.release();
  await a.saved("saved");
});

// Property: text that the server did not acknowledge survives the page: it is there again, and saved, when
// the room is next opened in the same browser, and nothing of it stays behind.
scene("unsaved text survives a page that goes away", async () => {
  const a = await arrive("/?room=draft.txt", ada);
  await a.ready();
  await a.type("safe. ");
  await a.saved("saved");
  await server.kill();
  await a.link("reconnecting");
  await a.type("Not yet safe.");
  await a.saved("unsaved");
  const page = await a.context.newPage();
  await a.page.close({ runBeforeUnload: false });
  a.errors.length = 0; // Chromium reports each attempt to connect.
  await server.start();

  const back = new Visitor(a.context, page);
  people.push(back);
  await page.goto(`${server.url}/?room=draft.txt`);
  await back.sees("safe. Not yet safe.");
  await back.saved("saved");
  const kept = await page.evaluate(() => Object.keys(localStorage));
  assert.deepEqual(kept.filter((key) => key.includes("draft")), []);
  const b = await arrive("/?room=draft.txt", grace);
  await b.sees("safe. Not yet safe.");
});

// Property: a server that cannot save says why, and the page repeats it, keeps the text, and does not
// say "saved" before the server is well again. The messages are put into the connection here, and
// the acknowledgements held back, as a server with a full disk does.
scene("a full disk is said in words", async () => {
  const socket = new Interceptor();
  const a = await arrive("/?room=disk.txt", { ...ada, before: (page) => socket.watch(page) });
  await a.ready();
  await a.saved("saved");

  socket.hold = true;
  socket.say('{"skein":"degraded","reason":"the disk is full"}');
  await a.type("No room for this");
  await a.page.locator("#saved", { hasText: "Not saved: server says the disk is full" }).waitFor();
  await a.page.locator("#notice", { hasText: "the disk is full" }).waitFor();
  await a.shot("disk-full");
  socket.hold = false;
  socket.release();
  socket.say('{"skein":"recovered"}');
  await a.saved("saved");
  await a.page.locator("#notice").waitFor({ state: "hidden" });
});

// Property: a token that may only read shows the text as it changes and takes no typing; one that may not
// enter is told so in the server's words; and a token never travels in a copied link.
test("tokens decide who writes", { timeout: 90_000 }, async (t) => {
  const tokens = {
    "pen-7": { access: "write" },
    "eye-7": { access: "read" },
    "*": { access: "none", reason: "this link has expired" },
  };
  const guarded = await TestServer.start({ tokens });
  t.after(() => guarded.stop());
  const visit = (query, who) => Visitor.arrive(browser, `${guarded.url}/?room=guarded.md${query}`, who);

  const writer = await visit("&token=pen-7", ada);
  const reader = await visit("&token=eye-7", grace);
  t.after(() => Promise.all([writer.leave(), reader.leave()]));
  await Promise.all([writer.ready(), reader.ready()]);
  await writer.type("Read me.");
  await reader.sees("Read me.");
  await reader.saved("readonly");
  await reader.type("No.");
  await reader.page.keyboard.press("Backspace");
  await writer.type(" Still here.");
  await reader.sees("Read me. Still here.");
  await writer.sees("Read me. Still here.");
  await reader.shot("read-only");
  const title = await reader.page.locator("#share").getAttribute("title");
  assert.match(title, /without your own access token/);

  const stranger = await visit("&token=wrong", { name: "Edith" });
  t.after(() => stranger.leave());
  await stranger.link("refused");
  await stranger.page.locator("#notice", { hasText: "this link has expired" }).waitFor();
  await stranger.page.locator("#notice button").waitFor();
  await stranger.shot("refused");
  assert.equal(await stranger.text(), "");
});

// Property: the page is complete by itself: everything it asks for comes from where it came from.
scene("no request goes to another host", async () => {
  const a = await arrive("/?room=alone.py", ada);
  await a.ready();
  for (const language of ["javascript", "markdown", "plain", "python"]) {
    await a.page.selectOption("#language", language);
  }
  await a.type("x = 1");
  await a.page.keyboard.press("Control+f");
  await a.page.locator(".cm-search").waitFor();
  await a.saved("saved");
  await a.shot("search");
  const { host } = new URL(server.url);
  assert.deepEqual(a.requests.filter((url) => new URL(url).host !== host), []);
  assert.ok(a.requests.some((url) => url === `ws://${host}/api/ws?type=yjs`));
});

// Property: what hostile clients may send as a name, a colour or a cursor is shown as plain text or not
// at all, and disturbs nobody.
scene("a stranger's name is only a name", async () => {
  const a = await arrive("/?room=strange.txt", ada);
  const b = await arrive("/?room=strange.txt", {
    name: '<img src=x onerror="document.title=1">\u202e',
    color: "red; position: fixed; inset: 0",
  });
  await Promise.all([a.ready(), b.ready()]);
  await b.type("hello");
  await a.sees("hello");
  await a.page.locator(".cursor-name", { hasText: '<img src=x onerror="document.tit' }).waitFor();
  assert.match(await a.page.locator(".cursor").getAttribute("style"), /^--who: #[0-9a-f]{6};?$/);
  assert.match(await a.page.title(), /^strange/);
});

// Property: at phone width nothing is cut off or scrolls sideways, and dark is dark.
scene("phone width and dark mode", async () => {
  const viewport = { width: 360, height: 700 };
  const phone = { viewport, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
  const edith = { name: "Edith", color: "#4d7c0f" };
  const room = "/?room=notes-of-the-harbour-watch.md";
  const a = await arrive(room, { ...ada, ...phone });
  const b = await arrive(room, { ...grace, colorScheme: "dark" });
  const c = await arrive(room, { ...edith, ...phone, colorScheme: "dark" });
  await Promise.all([a.ready(), b.ready(), c.ready()]);
  await paste(b, NOTES);
  await Promise.all([a.sees(NOTES), c.sees(NOTES)]);
  await a.page.locator(".cm-line", { hasText: "tide" }).click();
  await c.page.locator(".cm-line", { hasText: "kettle" }).click();
  await b.page.locator(".cursor-name", { hasText: "Edith" }).waitFor();
  await b.saved("saved");
  await b.shot("dark");
  await a.shot("phone");
  await c.shot("phone-dark");
  for (const { page } of [a, c]) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(wide, 0, "the page scrolls sideways");
  }
  const paper = await b.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(paper, "rgb(22, 23, 25)");
  await c.page.click("#people");
  await c.shot("phone-dark-people");
});

// Property: everything can be reached with the keyboard alone.
scene("the keyboard reaches everything", async () => {
  const a = await arrive("/?room=keys.txt", ada);
  await a.ready();
  await a.page.keyboard.type("typing needs no click");
  await a.sees("typing needs no click");
  await a.page.locator(".mark").focus();
  const reached = [];
  for (let i = 0; i < 4; i++) {
    await a.page.keyboard.press("Tab");
    reached.push(await a.page.evaluate(() => document.activeElement.id || document.activeElement.className));
  }
  assert.deepEqual(reached.slice(0, 2), ["people", "share"]);
  assert.match(reached[2], /cm-content/);
  assert.equal(reached[3], "language");
  await a.page.locator("#people").focus();
  await a.page.keyboard.press("Enter");
  await a.page.keyboard.press("Tab");
  assert.equal(await a.page.evaluate(() => document.activeElement.id), "name");
  await a.page.keyboard.press("Escape");
  await a.page.locator("#people-panel").waitFor({ state: "hidden" });
});

// Property: the program serves its page compressed to whoever can read that, lets browsers keep what is
// named after its content, and answers "unchanged" to those that ask again.
test("the page is compressed and kept", async () => {
  const headers = { "accept-encoding": "gzip" };
  const first = await fetch(`${server.url}/`, { headers });
  const html = await first.text();
  assert.equal(first.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(first.headers.get("content-encoding"), "gzip");
  assert.equal(first.headers.get("cache-control"), "no-cache");
  const etag = first.headers.get("etag");
  const again = await fetch(`${server.url}/`, { headers: { ...headers, "if-none-match": etag } });
  assert.equal(again.status, 304);

  const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)[1];
  const code = await fetch(server.url + script, { headers });
  assert.equal(code.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.match(code.headers.get("cache-control"), /immutable/);
  const plain = await fetch(server.url + script, { headers: { "accept-encoding": "identity" } });
  assert.equal(await plain.text(), await code.text());
});
