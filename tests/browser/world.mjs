// world - what a browser test needs: a real server on a directory of its own, and people in Chromium.
//
// SKEIN_BIN names the server's program (default: build/skein of this checkout), CHROMIUM the browser's.
// Screenshots go to shots/, which is not under version control: they are there to be looked at.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const program = process.env.SKEIN_BIN ?? join(here, "../../build/skein");
const START_MS = 20_000;

/** A server that can be killed and started again on the same port and the same data. */
export class TestServer {
  url = "";
  #folder = "";
  #port = 0;
  #process = null;
  #log = [];
  #tokens = null;

  /** tokens: what goes into the file of --tokens, or null for a server without any. */
  static async start({ tokens = null } = {}) {
    const server = new TestServer();
    server.#folder = await mkdtemp(join(tmpdir(), "skein-browser-"));
    if (tokens) {
      server.#tokens = join(server.#folder, "tokens.json");
      await writeFile(server.#tokens, JSON.stringify(tokens));
    }
    await server.start();
    return server;
  }

  async start() {
    const options = ["serve", "--listen", `127.0.0.1:${this.#port}`, "--data", join(this.#folder, "data")];
    if (this.#tokens) options.push("--tokens", this.#tokens);
    this.#process = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
    this.url = await this.#listening(this.#process);
    this.#port = Number(new URL(this.url).port);
  }

  async kill() {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await gone;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #listening(child) {
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        child.kill("SIGKILL");
        reject(new Error(`${program}: ${why}\n${this.#log.join("\n")}`));
      };
      const timer = setTimeout(fail, START_MS, "it did not say that it listens");
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code, signal) => fail(`it ended with ${code ?? signal}`));
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.#log.push(line);
        const url = /^listening .*?(http:\/\/\S+)/.exec(line)?.[1];
        if (!url) return;
        clearTimeout(timer);
        child.removeAllListeners("exit");
        resolve(url);
      });
    });
  }
}

/** Chromium, kept from calling its makers' hosts. */
export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** In the page: the text as it is drawn, without the carets in it; or, given a text, whether it is that. */
function drawnText(wanted) {
  const lines = [...document.querySelectorAll(".cm-content .cm-line")].map((line) => {
    const copy = line.cloneNode(true);
    for (const drawn of copy.querySelectorAll(".cursor, .cm-placeholder, img")) drawn.remove();
    return copy.textContent;
  });
  const text = lines.join("\n");
  return wanted === undefined ? text : text === wanted;
}

/** One person in a browser profile of their own, on one page. */
export class Visitor {
  constructor(context, page) {
    this.context = context;
    this.page = page;
    /** Complaints of the page itself, for the test to look at. */
    this.errors = [];
    /** Every address that the page asked for. */
    this.requests = [];
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (m) => {
      if (m.type() === "error") this.errors.push(`${m.text()} (${m.location().url})`);
    });
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("websocket", (socket) => this.requests.push(socket.url()));
  }

  /** options: name, color, before (called with the page before it loads), and those of a browser context. */
  static async arrive(browser, url, { name, color, before, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 680 }, ...options });
    await context.addInitScript(
      ([n, c]) => {
        if (n && !localStorage.getItem("skein:name")) localStorage.setItem("skein:name", n);
        if (c && !localStorage.getItem("skein:color")) localStorage.setItem("skein:color", c);
      },
      [name, color],
    );
    const visitor = new Visitor(context, await context.newPage());
    await before?.(visitor.page);
    await visitor.page.goto(url);
    return visitor;
  }

  get editor() {
    return this.page.locator(".cm-content");
  }

  /** Waits until the connection is so: connected, reconnecting, offline, refused. */
  link(state) {
    return this.page.locator(`#link[data-state="${state}"]`).waitFor();
  }

  /** Waits until the text is so: saved, saving, unsaved, readonly. */
  saved(state) {
    return this.page.locator(`#saved[data-state="${state}"]`).waitFor();
  }

  async ready() {
    await this.link("connected");
    await this.page.locator('#editor[data-opened="true"]').waitFor();
  }

  async type(text, options) {
    await this.editor.focus();
    await this.page.keyboard.type(text, options);
  }

  /** The whole text, if it is short: CodeMirror draws only what is near the view. */
  text() {
    return this.page.evaluate(drawnText);
  }

  /** Waits until the text is this. Fails with what it is instead. */
  async sees(wanted) {
    try {
      await this.page.waitForFunction(drawnText, wanted, { timeout: 20_000 });
    } catch (error) {
      const seen = JSON.stringify(await this.text());
      throw new Error(`${error.message}\nThe text is ${seen}`, { cause: error });
    }
  }

  async shot(name) {
    await mkdir(join(here, "shots"), { recursive: true });
    await this.page.screenshot({ path: join(here, "shots", `${name}.png`) });
  }

  leave() {
    return this.context.close();
  }
}

const STATELESS = 5;
const SYNC_STATUS = 8;

/** Stands between a page and the server: holds acknowledgements back, cuts the line, and says things. */
export class Interceptor {
  /** Whether acknowledgements (SyncStatus) are held back. */
  hold = false;
  #held = [];
  #client = null;
  #upstream = null;
  #address = null;
  #down = false;
  #wake = () => {};

  watch(page) {
    return page.routeWebSocket(/\/api\/ws/, (client) => {
      if (this.#down) return void client.close({ code: 1012 });
      this.#client = client;
      this.#upstream = client.connectToServer();
      this.#upstream.onMessage((message) => this.#onMessage(Buffer.from(message)));
    });
  }

  // A message is an address, with its length in front, and a type. Rooms of tests have short names.
  #onMessage(bytes) {
    this.#address = bytes.subarray(0, 1 + bytes[0]);
    if (this.hold && bytes[this.#address.length] === SYNC_STATUS) {
      this.#held.push(bytes);
      this.#wake();
    } else {
      this.#client.send(bytes);
    }
  }

  /** Waits until just so many acknowledgements are held back. */
  async holds(count) {
    while (this.#held.length < count) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#held.length > count) throw new Error(`${this.#held.length} are held, not ${count}`);
  }

  /** Lets the first so many go, or all; those that follow are still held. */
  release(count = this.#held.length) {
    for (const message of this.#held.splice(0, count)) this.#client.send(message);
  }

  /** Says a stateless message to the page, of less than 128 bytes. */
  say(payload) {
    const words = Buffer.from(payload);
    this.#client.send(Buffer.concat([this.#address, Buffer.from([STATELESS, words.length]), words]));
  }

  /** Ends the connection, on both sides, and lets no other through before mend(). */
  cut() {
    this.#down = true;
    void this.#client.close({ code: 1012 });
    void this.#upstream.close({ code: 1000 });
  }

  mend() {
    this.#down = false;
  }
}
