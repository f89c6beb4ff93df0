// The page is served from the root of whatever host Skein runs on, out of the binary. What is built
// here is hashed and cached for ever, so nothing is inlined and nothing is fetched from elsewhere.
// For work on the page itself: SKEIN_URL=http://127.0.0.1:8787 npm run dev
import { defineConfig } from "vite";

const server = process.env.SKEIN_URL ?? "http://127.0.0.1:8787";

export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": { target: server, ws: true } } },
});
