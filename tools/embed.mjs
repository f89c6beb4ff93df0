// embed - turns a folder of built web files into a C source file with a table of them (net/asset.h).
//
//   node tools/embed.mjs FOLDER SYMBOL HEADER OUT.c
//
// The bytes are not spelled out in C, which compilers are slow at: the assembler takes them from the
// files (.incbin). Compressed copies are made here, once, at the highest level, and stand beside
// OUT.c. An ETag is the first 128 bits of the content's SHA-256. The same input gives the same output.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** Compression has to save a tenth to be worth another copy in the program. */
const GZIP_RATIO_MAX = 0.9;
/** How Vite names what it hashed: name-XXXXXXXX.ext in the folder assets. */
const HASHED = /^\/assets\/.*-[\w-]{8}\.\w+$/;

function fail(words) {
  process.stderr.write(`embed: ${words}\n`);
  process.exit(1);
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

function describeFile(folder, file, gzipFolder, index) {
  const bytes = readFileSync(file);
  const name = `/${relative(folder, file).split(sep).join("/")}`;
  const path = name.replace(/\/index\.html$/, "/");
  const type = TYPES[extname(name)];
  if (!type) fail(`${file}: no Content-Type is known for this kind of file; add it to tools/embed.mjs`);
  if (/[^\x20-\x7e]|["\\]/.test(path)) fail(`${file}: a name of letters, digits and -._ is needed`);

  const asset = { path, type, bytes: { file, length: bytes.length }, gzip: null };
  asset.etag = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  asset.immutable = HASHED.test(path);
  const packed = gzipSync(bytes, { level: 9 });
  if (packed.length < bytes.length * GZIP_RATIO_MAX) {
    asset.gzip = { file: join(gzipFolder, `${index}.gz`), length: packed.length };
    writeFileSync(asset.gzip.file, packed);
  }
  return asset;
}

// The symbols are local to the file: no two embedded folders clash. "aligned" keeps each copy on its
// own cache line's start, which is where a copy to a socket begins.
function declareBytes(symbol, { file }) {
  const escaped = file.replace(/[\\"]/g, "\\$&");
  return [
    `__asm__(".section .rodata\\n"`,
    `        ".balign 64\\n"`,
    `        "${symbol}:\\n"`,
    `        ".incbin \\"${escaped}\\"\\n"`,
    `        ".byte 0\\n"`,
    `        ".previous\\n");`,
    `extern const uint8_t ${symbol}[];`,
  ].join("\n");
}

function writeTable(symbol, header, assets) {
  const bytes = [];
  const rows = assets.map((asset, i) => {
    bytes.push(declareBytes(`${symbol}_${i}`, asset.bytes));
    if (asset.gzip) bytes.push(declareBytes(`${symbol}_${i}_gzip`, asset.gzip));
    const gzip = asset.gzip ? [`${symbol}_${i}_gzip`, asset.gzip.length] : ["NULL", 0];
    return [
      `    {.path = "${asset.path}",`,
      `     .type = "${asset.type}",`,
      `     .etag = "\\"${asset.etag}\\"",`,
      `     .bytes = ${symbol}_${i},`,
      `     .len = ${asset.bytes.length},`,
      `     .gzip = ${gzip[0]},`,
      `     .gzip_len = ${gzip[1]},`,
      `     .immutable = ${asset.immutable}},`,
    ].join("\n");
  });
  const table = rows.length > 0 ? `static const struct asset assets[] = {\n${rows.join("\n")}\n};\n` : "";
  const [first, n] = rows.length > 0 ? ["assets", rows.length] : ["NULL", 0];
  return `/* Made by tools/embed.mjs while building; changes here are lost. */
#include "${header}"

${bytes.join("\n\n")}

${table}
const struct asset_table ${symbol} = {${first}, ${n}};
`;
}

const [folder, symbol, header, out] = process.argv.slice(2);
if (!out) fail("usage: node tools/embed.mjs FOLDER SYMBOL HEADER OUT.c");
const gzipFolder = resolve(dirname(out), `${symbol}_gzip`);
mkdirSync(gzipFolder, { recursive: true });
const assets = listFiles(resolve(folder))
  .sort()
  .map((file, i) => describeFile(resolve(folder), file, gzipFolder, i))
  .sort((a, b) => (a.path < b.path ? -1 : 1));
writeFileSync(out, writeTable(symbol, header, assets));
